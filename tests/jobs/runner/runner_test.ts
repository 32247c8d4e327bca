import { expect } from "expect";
import { pause } from "../../../data/backoff.ts";
import { JobQueue } from "../../../jobs/store/queue/queue.ts";
import { RunnerFixture, steps } from "../runnerFixture.ts";

Deno.test("a run is recorded completely: backend, every step, epochs, checkpoints and result", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner();
  const id = await fixture.createJob(`${steps(10)},epoch,checkpoint,${steps(15)},checkpoint`, {
    note: "done",
  });
  const job = await fixture.finished(id);
  expect(job).toMatchObject({
    status: "succeeded",
    attempt: 1,
    backend: { name: "scripted" },
    progress: { step: 25, totalSteps: 25, epoch: 2, loss: 1 / 25 },
    result: { steps: 25, note: "done" },
  });
  const { steps: series, epochs } = await fixture.jobs.metrics(id);
  expect(series.map(({ step }) => step)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
  expect(series[9]).toEqual({ step: 10, epoch: 0, loss: 0.1, lr: 0.1 });
  expect(epochs).toMatchObject([{ epoch: 0, step: 10, loss: 0.5 }]);
  const { data } = await fixture.jobs.listCheckpoints(id);
  expect(data.map(({ step }) => step).sort()).toEqual([10, 25]);
  expect(data.map(({ id }) => id)).toContain(job.latestCheckpoint);
});

Deno.test("a job that is created in the process of the runner starts before the next poll", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner({ pollMs: 3_600_000 });
  await fixture.finished(await fixture.createJob("step"));
  expect(await fixture.finished(await fixture.createJob("step"))).toMatchObject({ status: "succeeded" });
});

for (
  const [cause, script, error, log] of [
    ["a failure of the kind", "step,fail", { code: "loss_not_finite", message: "The loss is NaN" }, ""],
    ["a bug", "step,bug", { code: "internal_error", message: "x is undefined" }, "the stack"],
  ] as const
) {
  Deno.test(`${cause} fails the job and keeps its steps, and the runner continues`, async () => {
    await using fixture = await RunnerFixture.open();
    fixture.startRunner();
    const id = await fixture.createJob(script);
    expect(await fixture.finished(id)).toMatchObject({ status: "failed", error, result: null });
    expect((await fixture.jobs.metrics(id)).steps.length).toBe(1);
    expect(fixture.logs.join("\n")).toContain(log);
    expect(await fixture.finished(await fixture.createJob("step"))).toMatchObject({ status: "succeeded" });
  });
}

Deno.test("a run whose process crashes is tried again, at most five times, and the runner continues", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner();
  const id = await fixture.createJob("step,crash");
  const cause = "the process of the run was ended by SIGABRT: fatal: free(): invalid pointer";
  expect(await fixture.finished(id)).toMatchObject({
    status: "failed",
    attempt: 5,
    interruptions: 5,
    error: {
      code: "run_crashed",
      message: `T${
        cause.slice(1)
      }. The job was interrupted 5 times in a row without a new checkpoint in between`,
    },
  });
  expect(await fixture.messages(id)).toContain(`Back in the queue: ${cause}`);
  expect((await fixture.jobs.metrics(id)).steps.length).toBe(1);
  expect(fixture.logs).toContain(`${id}: fatal: free(): invalid pointer`);
  expect(await fixture.finished(await fixture.createJob("step"))).toMatchObject({ status: "succeeded" });
});

Deno.test("a run whose process is killed resumes from its checkpoint without repeated steps", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner();
  const id = await fixture.createJob(`${steps(10)},checkpoint,${steps(4)},kill_first_attempt,${steps(6)}`);
  expect(await fixture.finished(id)).toMatchObject({
    status: "succeeded",
    attempt: 2,
    interruptions: 1,
    result: { steps: 20 },
  });
  expect(await fixture.messages(id)).toContain(
    "Back in the queue: the process of the run was ended by SIGKILL",
  );
  const { steps: series } = await fixture.jobs.metrics(id);
  expect(series.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});

for (const script of ["step,hang", "step,block"]) {
  Deno.test(`a cancel ends a run with the script "${script}", and the runner continues`, async () => {
    await using fixture = await RunnerFixture.open();
    fixture.startRunner();
    const id = await fixture.createJob(script);
    await fixture.until(id, (job) => job.backend !== null);
    await fixture.jobs.cancel(id);
    expect(await fixture.finished(id)).toMatchObject({ status: "cancelled", error: null });
    expect(await fixture.finished(await fixture.createJob("step"))).toMatchObject({ status: "succeeded" });
  });
}

Deno.test("a stopped runner releases its job, and the next one resumes from the checkpoint without repeated steps", async () => {
  await using fixture = await RunnerFixture.open();
  const first = fixture.startRunner();
  const id = await fixture.createJob(`${steps(10)},checkpoint,${steps(4)},hang_first_attempt,${steps(6)}`);
  await fixture.until(id, (job) => job.progress?.step === 14);
  await Promise.all([first.stop(), first.stop()]);
  expect(await fixture.jobs.get(id)).toMatchObject({ status: "queued", interruptions: 0 });
  fixture.startRunner();
  expect(await fixture.finished(id)).toMatchObject({
    status: "succeeded",
    attempt: 2,
    result: { steps: 20 },
  });
  const { steps: series } = await fixture.jobs.metrics(id);
  expect(series.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});

Deno.test("a runner that lost its lease writes nothing more", async () => {
  let now = Date.UTC(2026, 0, 1);
  await using fixture = await RunnerFixture.open({ now: () => now });
  fixture.startRunner({ leaseMs: 1_000_000, name: "first" });
  const id = await fixture.createJob("step,hang");
  await fixture.until(id, (job) => job.backend !== null);
  const other = new JobQueue(fixture.jobs, "other", { leaseMs: 1_000_000 });
  // A heartbeat may renew the lease after the clock was advanced.
  do now += 2_000_000; while ((await other.reap()).length === 0);
  const claim = (await other.claim())!;
  expect(claim.job).toMatchObject({ id, attempt: 2 });
  await claim.record({ steps: [{ step: 1, epoch: 0, loss: 7, lr: 0.1 }] });
  while (!fixture.logs.some((line) => line.includes("lost"))) {
    await pause(10);
  }
  await claim.finish({ type: "succeeded", result: { by: "other" } });
  expect(await fixture.finished(id)).toMatchObject({ status: "succeeded", result: { by: "other" } });
  expect((await fixture.jobs.metrics(id)).steps.map(({ loss }) => loss)).toEqual([7]);
  expect((await fixture.jobs.get(id))!.interruptions).toBe(1);
});

Deno.test("a runner with two slots runs two jobs at a time, and the third stays queued", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner({ slots: 2 });
  const ids = [
    await fixture.createJob("step,hang"),
    await fixture.createJob("step,hang"),
    await fixture.createJob("step"),
  ];
  for (const id of ids.slice(0, 2)) await fixture.until(id, (job) => job.backend !== null);
  expect(await fixture.jobs.get(ids[2])).toMatchObject({ status: "queued" });
  await fixture.jobs.cancel(ids[0]);
  expect(await fixture.finished(ids[2])).toMatchObject({ status: "succeeded" });
});
