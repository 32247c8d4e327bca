import { expect } from "expect";
import { startProcess } from "../../cli/process.ts";
import { findChromium, launch } from "../setup/chromium.ts";
import { idxDigits } from "../setup/uploads.ts";

const chromium = await findChromium();

/** Uploads a data set as a form. A browser sends forms to any address without a preflight request. */
const UPLOAD = `async ([url, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const form = new FormData();
  form.set("train_images", new File([bytes], "images"));
  await fetch(url, { method: "POST", mode: "no-cors", body: form }).catch(() => {});
}`;

Deno.test({
  name: "in a browser, only the service's own pages can upload, under any name of the service",
  ignore: chromium === null,
  // Playwright keeps handles open until the process ends.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const folder = await Deno.makeTempDir();
    await using service = await startProcess("api", folder);
    const html = { headers: { "content-type": "text/html" } };
    await using foreign = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      () => new Response("<!doctype html><title>page</title>", html),
    );
    const { port } = new URL(service.url);
    const other = (foreign.addr as Deno.NetAddr).port;
    const images = idxDigits(20, "train").images.toBase64();
    const uploads = async () => {
      const { data } = await (await service.client.send("/v1/datasets?limit=100")).json();
      return data.filter(({ source }: { source: string }) => source !== "builtin").length;
    };
    const browser = await launch(chromium!);
    try {
      const page = await browser.newPage();
      const upload = (url: string) => page.evaluate(`(${UPLOAD})(${JSON.stringify([url, images])})`);
      // Another port of the same machine, another name for it, and a page with an opaque origin.
      for (
        const address of [`http://127.0.0.1:${other}/`, `http://localhost:${other}/`, "data:text/html,page"]
      ) {
        await page.goto(address);
        for (const name of ["127.0.0.1", "localhost"]) await upload(`http://${name}:${port}/v1/datasets`);
        expect({ address, uploads: await uploads() }).toEqual({ address, uploads: 0 });
      }
      await page.goto(`http://localhost:${port}/`);
      await upload("/v1/datasets");
      expect(await uploads()).toBe(1);
    } finally {
      await browser.close();
    }
    await service.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  },
});
