import { expect } from "expect";
import type { KindEvent } from "../../../jobs/kinds/kind.ts";
import { UpdateBuffer } from "../../../jobs/runner/updateBuffer.ts";
import { METRICS_LIMITS } from "../../../jobs/store/metrics/chunks.ts";
import type { JobUpdate } from "../../../jobs/store/queue/update.ts";
import { checkpointOf } from "../fixtures.ts";

const stepOf = (step: number) => ({ step, epoch: 0, loss: 1, lr: 0.1 });
const steps = (first: number, last: number): KindEvent & { type: "steps" } => ({
  type: "steps",
  images: last - first + 1,
  steps: Array.from({ length: last - first + 1 }, (_, i) => stepOf(first + i)),
});
const epoch = (index: number, step: number) => ({
  type: "epoch" as const,
  epoch: index,
  step,
  loss: 1,
  metrics: {},
});

/** Returns the number of steps, the epoch and the checkpoint of each update. */
const parts = (updates: readonly JobUpdate[]) =>
  updates.map(({ steps, epoch, checkpoint }) => [steps!.length, epoch?.step, checkpoint?.step]);

Deno.test("an epoch is written with its checkpoint, also when later steps precede the checkpoint", () => {
  const buffer = new UpdateBuffer(() => 0), checkpoint = checkpointOf("job_1", { step: 20 });
  expect(parts(buffer.add(steps(1, 10)))).toEqual([[10, undefined, undefined]]);
  expect(buffer.add(steps(11, 20))).toEqual([]);
  expect(buffer.add(epoch(0, 20))).toEqual([]);
  expect(buffer.add(steps(21, 25))).toEqual([]);
  expect(parts(buffer.add({ type: "checkpoint", checkpoint }))).toEqual([[15, 20, 20]]);
  expect(buffer.drain()).toBeNull();
});

Deno.test("an epoch without a checkpoint is written before the next one, or when the buffer is emptied", () => {
  const buffer = new UpdateBuffer(() => 0);
  buffer.add(steps(1, 10));
  expect(buffer.add(epoch(0, 10))).toEqual([]);
  expect(buffer.add(steps(11, 20))).toEqual([]);
  expect(parts(buffer.add(epoch(1, 20)))).toEqual([[10, 10, undefined]]);
  expect(parts([buffer.drain()!])).toEqual([[0, 20, undefined]]);
  expect(buffer.drain()).toBeNull();
});

Deno.test("no update has more steps than a commit, and none is lost", () => {
  const buffer = new UpdateBuffer(() => 0), updates: JobUpdate[] = [], total = 10_000;
  for (let first = 1; first <= total; first += 48) {
    updates.push(...buffer.add(steps(first, Math.min(total, first + 47))));
  }
  updates.push(buffer.drain()!);
  for (const { steps } of updates) expect(steps!.length).toBeLessThanOrEqual(METRICS_LIMITS.commit);
  const written = updates.flatMap(({ steps }) => steps!.map(({ step }) => step));
  expect(written).toEqual(Array.from({ length: total }, (_, i) => i + 1));
});
