import { expect } from "expect";
import type { Client, JobView } from "../../cli/client.ts";
import { startProcess } from "../../cli/process.ts";

/** Enough that a run reports its progress several times in the middle of an epoch: it does so twice a second. */
const STEPS_PER_EPOCH = 64;
const request = {
  kind: "pretrain",
  model: { depth: 2, decoder_depth: 1, dropout: 0.1 },
  dataset: { id: "digits", size: STEPS_PER_EPOCH * 64, seed: 5 },
  batch_size: 64,
  epochs: 4,
  lr: 1e-3,
  schedule: "cosine",
  warmup_epochs: 1,
  seed: 9,
};

/** Everything of a run that could differ. */
async function outcome(client: Client, job: JobView) {
  const metrics = await (await client.send(`/v1/jobs/${job.id}/metrics`)).json();
  const content = await client.send(`/v1/checkpoints/${job.latest_checkpoint}/content`);
  const digest = await crypto.subtle.digest("SHA-256", await content.arrayBuffer());
  return {
    steps: metrics.steps,
    epochs: metrics.epochs,
    loss: job.result?.loss,
    checkpoint: new Uint8Array(digest).toHex(),
  };
}

async function jobWhen(client: Client, id: string, fits: (job: JobView) => boolean): Promise<JobView> {
  while (true) {
    const job: JobView = await (await client.send(`/v1/jobs/${id}`)).json();
    if (fits(job)) return job;
    if (job.status === "failed" || job.status === "succeeded") {
      throw new Error(`It ${job.status} already: ${JSON.stringify(job.error)}`);
    }
  }
}

/** In the middle of the second, third or fourth epoch: past a checkpoint, and not about to write one. */
const midEpoch = ({ progress }: JobView) => {
  const step = progress?.step ?? 0, into = step % STEPS_PER_EPOCH;
  return step > STEPS_PER_EPOCH && into >= 1 && into <= STEPS_PER_EPOCH - 4;
};

Deno.test("a run killed in the middle of an epoch ends with exactly the numbers of an uninterrupted one", async (t) => {
  const folder = await Deno.makeTempDir();
  let whole: Awaited<ReturnType<typeof outcome>>;

  await t.step("uninterrupted", async () => {
    await using service = await startProcess("start", `${folder}/whole`);
    const { id } = await service.client.createJob(request);
    whole = await outcome(service.client, await service.client.waitFor(id, () => {}));
    expect(whole.steps.length).toBe(4 * STEPS_PER_EPOCH);
  });

  await t.step("API and runner killed together, and started again", async () => {
    let id: string;
    {
      await using service = await startProcess("start", `${folder}/killed`);
      ({ id } = await service.client.createJob(request));
      await jobWhen(service.client, id, midEpoch);
      await service.end("SIGKILL");
    }
    await using service = await startProcess("start", `${folder}/killed`);
    const job = await service.client.waitFor(id, () => {});
    expect(job).toMatchObject({ attempt: 2, interruptions: 0 });
    expect(await outcome(service.client, job)).toEqual(whole);
  });

  await t.step("the runner alone killed, and another one started, while the API goes on", async () => {
    await using api = await startProcess("api", `${folder}/apart`);
    const { id } = await api.client.createJob(request);
    {
      await using runner = await startProcess("runner", `${folder}/apart`);
      await jobWhen(api.client, id, midEpoch);
      await runner.end("SIGKILL");
    }
    await using _runner = await startProcess("runner", `${folder}/apart`);
    const job = await api.client.waitFor(id, () => {});
    expect(job).toMatchObject({ attempt: 2 });
    expect(await outcome(api.client, job)).toEqual(whole);
  });

  await t.step("a runner asked to stop hands its job back at once, and counts no loss", async () => {
    await using api = await startProcess("api", `${folder}/asked`);
    const { id } = await api.client.createJob(request);
    {
      await using runner = await startProcess("runner", `${folder}/asked`);
      await jobWhen(api.client, id, midEpoch);
      expect((await runner.end("SIGTERM")).code).toBe(0);
    }
    expect(await jobWhen(api.client, id, () => true)).toMatchObject({ status: "queued", interruptions: 0 });
    await using _runner = await startProcess("runner", `${folder}/asked`);
    expect(await outcome(api.client, await api.client.waitFor(id, () => {}))).toEqual(whole);
  });

  await Deno.remove(folder, { recursive: true });
});
