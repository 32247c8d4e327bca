import { expect } from "expect";
import { findChromium, launch } from "../setup/chromium.ts";
import { startProcess } from "../../cli/process.ts";

const chromium = await findChromium();

Deno.test({
  name: "a job from the dashboard: refused, mended, trained, watched, reconstructed",
  ignore: chromium === null,
  // Playwright keeps handles of its own until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    await using service = await startProcess("start", folder);
    const browser = await launch(chromium!);
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const complaints: string[] = [], foreign: string[] = [];
      page.on("console", (message) => {
        // The refused request of the first step is the browser's to report.
        if (message.type() === "error" && !message.text().includes("422")) complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("request", (request) => {
        const url = request.url();
        if (!url.startsWith(service.url) && !/^(blob|data):/.test(url)) foreign.push(url);
      });
      await page.goto(service.url);

      await t.step("a wrong field is named where it was typed", async () => {
        await page.getByLabel("Training images").fill("256");
        await page.getByLabel("Batch size").fill("512");
        await page.getByRole("button", { name: "Start pre-training" }).click();
        await page.locator("#field-batch_size-error").waitFor();
        expect(await page.locator("#field-batch_size-error").textContent()).toContain(
          "256 training images",
        );
        expect(await page.locator("#jobs li").count()).toBe(0);
      });

      await t.step("a job is trained while the page follows it", async () => {
        await page.getByLabel("Name").fill("<b>from a browser</b>");
        await page.getByLabel("Batch size").fill("64");
        await page.getByRole("button", { name: "Start pre-training" }).click();
        await page.locator("#detail").getByText("succeeded", { exact: true }).waitFor({ timeout: 120_000 });
        expect(await page.locator("#detail").textContent()).toContain("<b>from a browser</b>");
        expect(await page.locator("#detail svg path, #detail svg polyline").count()).toBeGreaterThan(0);
      });

      await t.step("its model reconstructs the masked patches", async () => {
        await page.getByRole("button", { name: "Reconstruct" }).click();
        const picture = page.locator("figure.triptych img");
        await picture.waitFor({ timeout: 60_000 });
        const drawn = "(image) => image.decode().then(() => [image.naturalWidth, image.naturalHeight])";
        const size = await page.evaluate(`(${drawn})(document.querySelector("figure.triptych img"))`);
        expect(size).toEqual([536, 712]);
      });

      await t.step("the reference lists every endpoint and loads nothing from elsewhere", async () => {
        await page.goto(`${service.url}/docs`);
        await page.locator(".opblock").first().waitFor();
        const { paths } = await (await fetch(`${service.url}/openapi.json`)).json();
        const operations = Object.values(paths as Record<string, object>).flatMap((path) =>
          Object.keys(path)
        );
        expect(await page.locator(".opblock").count()).toBe(operations.length);
        expect(foreign).toEqual([]);
      });
      expect(complaints).toEqual([]);
    } finally {
      await browser.close();
    }
    await service.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  },
});
