import { expect } from "expect";
import type { Client, JobView } from "../../cli/client.ts";
import { startProcess } from "../../cli/process.ts";
import { childrenOf } from "../setup/processes.ts";
import { completeConfig } from "../../model/config.ts";
import { TINY_VIT, tinyUpload, tinyWeights } from "../api/importFiles.ts";
import { sha256 } from "../../jobs/artifacts/sha256.ts";

/** A run reports its progress twice a second. An epoch of this length contains several reports. */
const STEPS_PER_EPOCH = 64;
const request = {
  kind: "pretrain",
  model: { image_size: 28, in_channels: 1, dropout: 0.1, drop_path: 0.2 },
  dataset: { id: "digits", size: STEPS_PER_EPOCH * 64, seed: 5 },
  batch_size: 64,
  epochs: 4,
  lr: 1e-3,
  schedule: "cosine",
  warmup_epochs: 1,
  seed: 9,
};

/** The model that runs start from, for images of another size and in colour. */
const IMPORTED = completeConfig({ ...TINY_VIT, imageSize: 24, patchSize: 4, embedDim: 64, depth: 2 });

/** Imports the model, and creates a job that starts from it. */
async function createJob(client: Client): Promise<JobView> {
  const form = new FormData();
  const files = tinyUpload(tinyWeights("huggingface", { model: "mae" }, IMPORTED));
  for (const [field, { name, content }] of Object.entries(files)) {
    form.append(field, new File([content], name));
  }
  const { id: checkpoint } = await (await client.send("/v1/checkpoints", { method: "POST", body: form }))
    .json();
  return client.createJob({ ...request, checkpoint });
}

/** Returns the parts of a run that must be equal: the loss series, the final loss and the digest of the checkpoint. */
async function recordOf(client: Client, job: JobView) {
  const metrics = await (await client.send(`/v1/jobs/${job.id}/metrics`)).json();
  const content = await client.send(`/v1/checkpoints/${job.latest_checkpoint}/content`);
  return {
    steps: metrics.steps,
    epochs: metrics.epochs,
    loss: job.result?.loss,
    checkpoint: await sha256(content.body!),
  };
}

async function waitUntil(client: Client, id: string, condition: (job: JobView) => boolean): Promise<JobView> {
  while (true) {
    const job: JobView = await (await client.send(`/v1/jobs/${id}`)).json();
    if (condition(job)) return job;
    if (job.status === "failed" || job.status === "succeeded") {
      throw new Error(`The job has ${job.status} too early: ${JSON.stringify(job.error)}`);
    }
  }
}

/** True in the middle of an epoch after the first: a checkpoint exists, and none is written soon. */
const isMidEpoch = ({ progress }: JobView) => {
  const step = progress?.step ?? 0, stepInEpoch = step % STEPS_PER_EPOCH;
  return step > STEPS_PER_EPOCH && stepInEpoch >= 1 && stepInEpoch <= STEPS_PER_EPOCH - 4;
};

Deno.test("a run killed in the middle of an epoch has bit for bit the same results as an uninterrupted one", async (t) => {
  const folder = await Deno.makeTempDir();
  let expected: Awaited<ReturnType<typeof recordOf>>;

  await t.step("uninterrupted", async () => {
    await using service = await startProcess("start", `${folder}/uninterrupted`);
    const { id } = await createJob(service.client);
    expected = await recordOf(service.client, await service.client.waitFor(id, () => {}));
    expect(expected.steps.length).toBe(4 * STEPS_PER_EPOCH);
  });

  await t.step("a process with API and runner is killed and started again", async () => {
    let id: string;
    {
      await using service = await startProcess("start", `${folder}/killed`);
      ({ id } = await createJob(service.client));
      await waitUntil(service.client, id, isMidEpoch);
      await service.end("SIGKILL");
    }
    await using service = await startProcess("start", `${folder}/killed`);
    const job = await service.client.waitFor(id, () => {});
    expect(job).toMatchObject({ attempt: 2, interruptions: 0 });
    expect(await recordOf(service.client, job)).toEqual(expected);
  });

  await t.step(
    "a runner process is killed and another one is started, while the API process continues",
    async () => {
      await using api = await startProcess("api", `${folder}/separate`);
      const { id } = await createJob(api.client);
      {
        await using runner = await startProcess("runner", `${folder}/separate`);
        await waitUntil(api.client, id, isMidEpoch);
        await runner.end("SIGKILL");
      }
      await using _runner = await startProcess("runner", `${folder}/separate`);
      const job = await api.client.waitFor(id, () => {});
      expect(job).toMatchObject({ attempt: 2 });
      expect(await recordOf(api.client, job)).toEqual(expected);
    },
  );

  await t.step({
    name: "the process of a run is killed, while its runner continues",
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using api = await startProcess("api", `${folder}/run`);
      await using runner = await startProcess("runner", `${folder}/run`);
      const { id } = await createJob(api.client);
      await waitUntil(api.client, id, isMidEpoch);
      const [pid, ...others] = await childrenOf(runner.pid);
      expect(others).toEqual([]);
      Deno.kill(pid, "SIGKILL");
      const job = await api.client.waitFor(id, () => {});
      expect(job).toMatchObject({ attempt: 2, interruptions: 0 });
      expect(await recordOf(api.client, job)).toEqual(expected);
      const { data } = await (await api.client.send(`/v1/jobs/${id}/events?limit=500`)).json();
      const causes = data.map(({ data }: { data: { cause?: string } }) => data.cause).filter(Boolean);
      expect(causes).toEqual(["the process of the run was ended by SIGKILL"]);
      expect((await runner.end("SIGTERM")).code).toBe(0);
    },
  });

  await t.step("a run killed at one width of vectors is resumed at the other", async () => {
    await using api = await startProcess("api", `${folder}/width`);
    const { id } = await createJob(api.client);
    let bits: number | undefined;
    {
      await using runner = await startProcess("runner", `${folder}/width`, { UNMASK_VECTORS: "auto" });
      bits = (await waitUntil(api.client, id, isMidEpoch)).backend?.vector_bits;
      await runner.end("SIGKILL");
    }
    await using _runner = await startProcess("runner", `${folder}/width`, { UNMASK_VECTORS: "128" });
    const job = await api.client.waitFor(id, () => {});
    expect(job).toMatchObject({ attempt: 2, backend: { vector_bits: 128 } });
    // Where 256 bits are not possible, the run is resumed at the same width.
    expect([128, 256]).toContain(bits);
    expect(await recordOf(api.client, job)).toEqual(expected);
  });

  await t.step("a stopped runner releases its job, which does not count as a lost runner", async () => {
    await using api = await startProcess("api", `${folder}/stopped`);
    const { id } = await createJob(api.client);
    {
      await using runner = await startProcess("runner", `${folder}/stopped`);
      await waitUntil(api.client, id, isMidEpoch);
      expect((await runner.end("SIGTERM")).code).toBe(0);
    }
    expect(await waitUntil(api.client, id, () => true)).toMatchObject({ status: "queued", interruptions: 0 });
    await using _runner = await startProcess("runner", `${folder}/stopped`);
    expect(await recordOf(api.client, await api.client.waitFor(id, () => {}))).toEqual(expected);
  });

  await Deno.remove(folder, { recursive: true });
});
