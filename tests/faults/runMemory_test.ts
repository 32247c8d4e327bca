import { expect } from "expect";
import { Client } from "../../cli/client.ts";
import { startProcess } from "../../cli/process.ts";

/** The weights, the gradients and the optimiser's state of `vit_base` need 1.8 GB. */
const LARGE = {
  kind: "pretrain",
  model: "vit_base",
  dataset: { id: "digits", size: 10, seed: 1 },
  batch_size: 4,
  max_steps: 1,
};
const SMALL = { ...LARGE, model: "mnist" };

/** V8 reserves half a GiB of it for the code of each thread, and a run has three threads. */
const LIMIT = 3 * 2 ** 30;

async function failure(client: Client, request: object) {
  const { id } = await client.createJob(request);
  return await (await client.send(`/v1/jobs/${id}?wait=60`)).json();
}

Deno.test({
  name: "a run that exceeds a memory limit fails with out_of_memory, and its runner continues",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const folder = await Deno.makeTempDir();
    await using api = await startProcess("api", folder);
    await using runner = await startProcess("runner", folder, { UNMASK_THREADS: "1" }, () => {}, LIMIT);
    const job = await failure(api.client, LARGE);
    expect(job).toMatchObject({ status: "failed", attempt: 1, error: { code: "out_of_memory" } });
    expect(job.error.message).toContain("choose a smaller");
    const { id } = await api.client.createJob(SMALL);
    expect((await api.client.waitFor(id, () => {})).status).toBe("succeeded");
    expect((await runner.end("SIGTERM")).code).toBe(0);
    await Deno.remove(folder, { recursive: true });
  },
});
