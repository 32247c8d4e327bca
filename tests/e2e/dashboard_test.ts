import { Buffer } from "node:buffer";
import { expect } from "expect";
import { encodePng } from "../../data/images/encodePng.ts";
import { findChromium, launch } from "../setup/chromium.ts";
import { writeSafetensors } from "../../data/safetensors/safetensors.ts";
import { tinyWeights } from "../api/importFiles.ts";
import { startProcess } from "../../cli/process.ts";

const chromium = await findChromium();

Deno.test({
  name: "the dashboard creates a job, follows its training and reconstructs images",
  ignore: chromium === null,
  // Playwright keeps handles open until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    await using service = await startProcess("start", folder);
    const browser = await launch(chromium!);
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const errors: string[] = [], otherUrls: string[] = [];
      page.on("console", (message) => {
        // The browser reports the rejected request of the first step.
        if (message.type() === "error" && !message.text().includes("422")) errors.push(message.text());
      });
      page.on("pageerror", (error) => errors.push(String(error)));
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(service.url) && !/^(blob|data):/.test(url)) otherUrls.push(url);
      });
      await page.goto(service.url);

      await t.step("an invalid field has its error beside it", async () => {
        await page.getByLabel("Training images").fill("256");
        await page.getByLabel("Batch size").fill("512");
        await page.getByRole("button", { name: "Start pre-training" }).click();
        await page.locator("#field-batch_size-error").waitFor();
        expect(await page.locator("#field-batch_size-error").textContent()).toContain(
          "256 training images",
        );
        expect(await page.locator("#jobs li").count()).toBe(0);
      });

      await t.step("a job is trained, and the page shows its progress", async () => {
        await page.getByLabel("Name").fill("<b>from a browser</b>");
        await page.getByLabel("Batch size").fill("64");
        await page.getByRole("button", { name: "Start pre-training" }).click();
        await page.locator("#detail").getByText("succeeded", { exact: true }).waitFor({ timeout: 120_000 });
        expect(await page.locator("#detail").textContent()).toContain("<b>from a browser</b>");
        expect(await page.locator("#detail svg path, #detail svg polyline").count()).toBeGreaterThan(0);
      });

      /** Clicks the button, and returns width and height of the next figure. */
      const reconstruct = async (): Promise<unknown> => {
        const image = page.locator("figure.reconstructions img");
        const previous = await image.count() === 0 ? null : await image.getAttribute("src");
        await page.getByRole("button", { name: "Reconstruct" }).click();
        await page.locator(`figure.reconstructions img:not([src="${previous}"])`).waitFor({
          timeout: 60_000,
        });
        const naturalSize = "(image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight])";
        return await page.evaluate(`(${naturalSize})(document.querySelector("figure.reconstructions img"))`);
      };

      await t.step("its model reconstructs the masked patches", async () => {
        expect(await reconstruct()).toEqual([712, 736]);
      });

      await t.step("an imported checkpoint is listed", async () => {
        const { tensors, config } = tinyWeights();
        const form = new FormData();
        form.set("weights", new File([writeSafetensors(tensors)], "<i>model.safetensors"));
        form.set("config", new File([JSON.stringify(config)], "config.json"));
        expect(await page.locator("#imports-card").isVisible()).toBe(false);
        await service.client.send("/v1/checkpoints", { method: "POST", body: form });
        await page.locator("#imports li").waitFor({ timeout: 30_000 });
        expect(await page.locator("#imports li").textContent()).toMatch(/^<i>modelmae · huggingface/);
      });

      await t.step("an imported checkpoint reconstructs images of a data set, and files", async () => {
        await page.locator("#imports a").click();
        await page.locator("#detail h1:focus").getByText("<i>model", { exact: true }).waitFor();
        expect(await page.locator("#imports a").getAttribute("aria-current")).toBe("true");
        expect(await page.locator("#detail .notes").textContent()).toContain("normalize");
        expect(await page.getByLabel("Mask ratio").last().inputValue()).toBe("0.75");
        await page.getByLabel("Images", { exact: true }).selectOption("Drawn digits");
        await page.getByLabel("Test images").fill("0 5");
        // 16 pixels are enlarged to 160.
        expect(await reconstruct()).toEqual([4 * 168 + 8, 2 * 168 + 8 + 24]);

        await page.getByLabel("Images", { exact: true }).selectOption("Your own pictures");
        expect(await page.getByLabel("Test images").isVisible()).toBe(false);
        await page.getByRole("button", { name: "Reconstruct" }).click();
        await page.locator("#detail .error").getByText("pictures").waitFor();
        const buffer = Buffer.from(await encodePng(new Uint8Array(20 * 30 * 3).fill(99), 20, 30, 3));
        const file = { name: "own.png", mimeType: "image/png", buffer };
        await page.getByLabel("PNG or JPEG files").setInputFiles([file, file, file]);
        await page.getByLabel("Attention").check();
        expect(await reconstruct()).toEqual([5 * 168 + 8, 3 * 168 + 8 + 24]);
      });

      await t.step(
        "the API reference lists every endpoint, and all pages load only from the service",
        async () => {
          await page.goto(`${service.url}/docs`);
          await page.locator(".opblock").first().waitFor();
          const { paths } = await (await fetch(`${service.url}/openapi.json`)).json();
          const operations = Object.values(paths as Record<string, object>).flatMap((path) =>
            Object.keys(path)
          );
          expect(await page.locator(".opblock").count()).toBe(operations.length);
          expect(otherUrls).toEqual([]);
        },
      );
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
    await service.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  },
});
