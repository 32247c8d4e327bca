import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import { openStore } from "../../data/objects/open.ts";
import { startProcess } from "../../cli/process.ts";
import { IMPORT_MS } from "../../jobs/store/checkpoints/imports.ts";
import { sweepJobs } from "../../jobs/store/deletion/sweep.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { PRESETS } from "../../model/presets.ts";
import { tinyWeights, weightsFile } from "../api/importFiles.ts";

/** Returns the sizes of all files below a folder, by their paths. */
async function filesBelow(folder: string): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (!isDirectory) files.set(path, (await Deno.stat(path).catch(() => null))?.size ?? 0);
    else for (const [file, size] of await filesBelow(path).catch(() => [])) files.set(file, size);
  }
  return files;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await pause(5);
}

Deno.test("a process that is killed during an import leaves nothing that the sweeps of the next one do not remove", async (t) => {
  const { tensors } = tinyWeights("unmask", { model: "mae" }, PRESETS.vit_small);
  const { content } = weightsFile(tensors);
  const config = JSON.stringify(tinyWeights("unmask", { model: "mae" }, PRESETS.vit_small).config);
  for (const phase of ["arrives", "is stored"] as const) {
    await t.step(`while it ${phase}`, async () => {
      const folder = await Deno.makeTempDir();
      {
        await using service = await startProcess("api", folder);
        const form = new FormData();
        form.set("weights", new File([content], "model.safetensors"));
        form.set("config", new File([config], "config.json"));
        const request = fetch(`${service.url}/v1/checkpoints`, { method: "POST", body: form });
        request.catch(() => {});
        await until(async () => {
          const files = await filesBelow(phase === "arrives" ? `${folder}/uploads` : `${folder}/objects`);
          return [...files.values()].some((size) => size > 0);
        });
        await service.end("SIGKILL");
        await expect(request.then((response) => response.json())).rejects.toThrow();
      }
      {
        await using service = await startProcess("api", folder, { UNMASK_SWEEP_SECONDS: "1" });
        const { data } = await (await service.client.send("/v1/checkpoints")).json();
        expect(data).toEqual([]);
        // Only the new process's lock is left.
        await until(async () => (await filesBelow(`${folder}/uploads`)).size === 1);
        await service.end("SIGTERM");
      }
      const kv = await Deno.openKv(`${folder}/kv.sqlite3`);
      const jobs = new JobStore(kv, { now: () => Date.now() + IMPORT_MS });
      await sweepJobs(jobs, openStore({ url: `file:${folder}/objects` }));
      expect(await Array.fromAsync(kv.list({ prefix: [] }), ({ key }) => key[0])).toEqual(["index_version"]);
      kv.close();
      const objects = openStore({ url: `file:${folder}/objects` });
      expect(await Array.fromAsync(objects.list(""), ({ key }) => key)).toEqual([]);
      await objects.sweep?.(Date.now() + 48 * 3_600_000);
      expect([...(await filesBelow(`${folder}/objects`)).keys()]).toEqual([]);
      await Deno.remove(folder, { recursive: true });
    });
  }
});
