import { expect } from "expect";
import type { Job } from "../../../jobs/job.ts";
import { request } from "../fixtures.ts";
import { RunnerFixture } from "../runnerFixture.ts";

const STEPS_PER_EPOCH = 250, EPOCHS = 16, TOTAL = STEPS_PER_EPOCH * EPOCHS;
const PROBE = request({
  kind: "linear_probe",
  dataset: { id: "digits", size: 8 * STEPS_PER_EPOCH },
  model: { patch_size: 7, embed_dim: 16, depth: 1, num_heads: 2 },
  batch_size: 8,
  epochs: EPOCHS,
  seed: 4,
});
const REAL_RUN = { runModule: undefined };

async function outcome(fixture: RunnerFixture, job: Job) {
  expect(job).toMatchObject({ status: "succeeded" });
  const { sha256, stateSha256, step } = (await fixture.jobs.getCheckpoint(job.latestCheckpoint!))!;
  const { steps, epochs } = await fixture.jobs.metrics(job.id, { limit: 10_000 });
  const { loss, testAccuracy, testLoss } = job.result!;
  return { sha256, stateSha256, step, steps, epochs, loss, testAccuracy, testLoss };
}

Deno.test("a run of a probe records every small step, and one that is stopped in between ends with the same bits", async () => {
  await using fixture = await RunnerFixture.open();
  const { job: { id } } = await fixture.jobs.create(PROBE);
  const runner = fixture.startRunner(REAL_RUN);
  const whole = await outcome(fixture, await fixture.finished(id));
  expect(whole.steps.map(({ step }) => step)).toEqual(Array.from({ length: TOTAL }, (_, i) => i + 1));
  expect(whole.epochs.map(({ step }) => step)).toEqual(
    Array.from({ length: EPOCHS }, (_, i) => (i + 1) * STEPS_PER_EPOCH),
  );
  for (const { epoch, loss } of whole.epochs) {
    const losses = whole.steps.filter((step) => step.epoch === epoch).map((step) => step.loss);
    expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b) / losses.length, 10);
  }
  const events = await fixture.jobs.events(id, { limit: 1000 });
  const saved = events.filter(({ type }) => type === "checkpoint").map(({ data }) => data.step);
  expect(saved).toEqual(whole.epochs.map(({ step }) => step));
  const computed = events.filter(({ message }) => message.startsWith("Computed the features"));
  expect(computed[0].message).toBe("Computed the features of 0 of 2000 images");
  expect(computed.at(-1)!.message).toBe("Computed the features of 2000 of 2000 images");
  await runner.stop();

  const again = (await fixture.jobs.create(PROBE)).job.id;
  const first = fixture.startRunner(REAL_RUN);
  await fixture.until(again, (job) => job.latestCheckpoint !== null);
  await first.stop();
  expect(await fixture.jobs.get(again)).toMatchObject({ status: "queued" });
  fixture.startRunner(REAL_RUN);
  expect(await outcome(fixture, await fixture.finished(again))).toEqual(whole);
});

Deno.test("a cancel ends a probe while it computes the features", async () => {
  await using fixture = await RunnerFixture.open();
  const { job: { id } } = await fixture.jobs.create(request({
    kind: "linear_probe",
    dataset: { id: "digits", size: 20_000 },
    model: { embed_dim: 192, depth: 12, num_heads: 3 },
    epochs: 1,
  }));
  fixture.startRunner(REAL_RUN);
  for await (const event of fixture.jobs.follow(id)) {
    if (event.message.startsWith("Computed the features")) break;
  }
  await fixture.jobs.cancel(id);
  const job = await fixture.finished(id);
  expect(job).toMatchObject({ status: "cancelled", progress: { step: 0 } });
  expect(await fixture.jobs.metrics(id)).toMatchObject({ steps: [] });
});
