import { expect } from "expect";
import { JobQueue } from "../../../jobs/store/queue/queue.ts";
import { Stage } from "../stage.ts";

const steps = (count: number) => Array.from({ length: count }, () => "step").join(",");

Deno.test("a run is told whole: backend, every step, epochs, checkpoints, result", async () => {
  await using stage = await Stage.open({ notifiesReady: true });
  stage.runner();
  const id = await stage.job(`${steps(10)},epoch,checkpoint,${steps(15)},checkpoint`, { note: "done" });
  const job = await stage.ended(id);
  expect(job).toMatchObject({
    status: "succeeded",
    attempt: 1,
    backend: { name: "scripted" },
    progress: { step: 25, totalSteps: 25, epoch: 2, loss: 1 / 25 },
    result: { steps: 25, note: "done" },
  });
  const { steps: series, epochs } = await stage.jobs.metrics(id);
  expect(series.map(({ step }) => step)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
  expect(series[9]).toEqual({ step: 10, epoch: 0, loss: 0.1, lr: 0.1 });
  expect(epochs).toMatchObject([{ epoch: 0, step: 10, loss: 0.5 }]);
  const { data } = await stage.jobs.listCheckpoints(id);
  expect(data.map(({ step }) => step).sort()).toEqual([10, 25]);
  expect(data.map(({ id }) => id)).toContain(job.latestCheckpoint);
});

for (
  const [what, script, error, log] of [
    ["a failure that was foreseen", "step,fail", { code: "loss_not_finite", message: "The loss is NaN" }, ""],
    ["a bug", "step,bug", { code: "internal_error", message: "x is undefined" }, "the stack"],
    ["a crash", "step,crash", { code: "worker_crashed" }, "the worker fell over"],
  ] as const
) {
  Deno.test(`${what} fails the job, keeps its steps, and leaves the runner alive`, async () => {
    await using stage = await Stage.open();
    stage.runner();
    const id = await stage.job(script);
    expect(await stage.ended(id)).toMatchObject({ status: "failed", error, result: null });
    expect((await stage.jobs.metrics(id)).steps.length).toBe(1);
    expect(stage.said.join("\n")).toContain(log);
    expect(await stage.ended(await stage.job("step"))).toMatchObject({ status: "succeeded" });
  });
}

for (const script of ["step,hang", "step,busy"]) {
  Deno.test(`a cancel ends a run that plays "${script}", and the runner goes on`, async () => {
    await using stage = await Stage.open();
    stage.runner();
    const id = await stage.job(script);
    await stage.when(id, (job) => job.backend !== null);
    await stage.jobs.cancel(id);
    expect(await stage.ended(id)).toMatchObject({ status: "cancelled", error: null });
    expect(await stage.ended(await stage.job("step"))).toMatchObject({ status: "succeeded" });
  });
}

Deno.test("a stopped runner hands its job back; the next one goes on from the checkpoint, no step twice", async () => {
  await using stage = await Stage.open();
  const first = stage.runner();
  const id = await stage.job(`${steps(10)},checkpoint,${steps(4)},once,${steps(6)}`);
  await stage.when(id, (job) => job.progress?.step === 14);
  await Promise.all([first.stop(), first.stop()]);
  expect(await stage.jobs.get(id)).toMatchObject({ status: "queued", interruptions: 0 });
  stage.runner();
  expect(await stage.ended(id)).toMatchObject({ status: "succeeded", attempt: 2, result: { steps: 20 } });
  const { steps: series } = await stage.jobs.metrics(id);
  expect(series.map(({ step }) => step)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
});

Deno.test("a runner whose lease was taken writes nothing more", async () => {
  let now = Date.UTC(2026, 0, 1);
  await using stage = await Stage.open({ now: () => now });
  stage.runner({ leaseMs: 1_000_000, name: "slow" });
  const id = await stage.job("step,hang");
  await stage.when(id, (job) => job.backend !== null);
  const other = new JobQueue(stage.jobs, "other", { leaseMs: 1_000_000 });
  // A heartbeat may come between the clock and the look at the leases.
  do now += 2_000_000; while ((await other.reap()).length === 0);
  const claim = (await other.claim())!;
  expect(claim.job).toMatchObject({ id, attempt: 2 });
  await claim.record({ steps: [{ step: 1, epoch: 0, loss: 7, lr: 0.1 }] });
  while (!stage.said.some((line) => line.includes("lost"))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await claim.finish({ type: "succeeded", result: { by: "other" } });
  expect(await stage.ended(id)).toMatchObject({ status: "succeeded", result: { by: "other" } });
  expect((await stage.jobs.metrics(id)).steps.map(({ loss }) => loss)).toEqual([7]);
  expect((await stage.jobs.get(id))!.interruptions).toBe(1);
});

Deno.test("a runner with two slots runs two jobs side by side and leaves the third waiting", async () => {
  await using stage = await Stage.open();
  stage.runner({ slots: 2 });
  const ids = [await stage.job("step,hang"), await stage.job("step,hang"), await stage.job("step")];
  for (const id of ids.slice(0, 2)) await stage.when(id, (job) => job.backend !== null);
  expect(await stage.jobs.get(ids[2])).toMatchObject({ status: "queued" });
  await stage.jobs.cancel(ids[0]);
  expect(await stage.ended(ids[2])).toMatchObject({ status: "succeeded" });
});
