import { expect } from "expect";
import type { StepPoint } from "../../../jobs/job.ts";
import { METRICS_LIMITS } from "../../../jobs/store/metrics/chunks.ts";
import type { Claim } from "../../../jobs/store/queue/claim.ts";
import { JobStore } from "../../../jobs/store/store.ts";
import { counting, readsOf } from "../../setup/countingKv.ts";
import { withStore } from "../fixtures.ts";

const PER_EPOCH = 100;

/** Returns the steps from `first` to `last` with different values. The losses also depend on `run`. */
function points(first: number, last: number, run = 0): StepPoint[] {
  return Array.from({ length: last - first + 1 }, (_, i) => ({
    step: first + i,
    epoch: Math.floor((first + i - 1) / PER_EPOCH),
    loss: 1 / (first + i) + run,
    lr: 1e-3 / 3 * (first + i),
  }));
}

const epochPoint = (epoch: number, perEpoch = PER_EPOCH) => ({
  epoch,
  step: (epoch + 1) * perEpoch,
  loss: 1 / (epoch + 3),
  metrics: { accuracy: 1 / (epoch + 7) },
});

const stepsOf = (points: readonly StepPoint[]) => points.map(({ step }) => step);

/** Runs a test with a running job. */
const withRun = (
  test: (run: { store: JobStore; id: string; claim: Claim }) => Promise<void>,
) => withStore(async ({ store, running }) => await test({ store, ...await running() }));

/** Reads the whole series in pages. */
async function readAll(store: JobStore, id: string, query: { limit: number; every?: number }) {
  const steps: StepPoint[] = [], epochs: number[] = [], sizes: number[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = await store.metrics(id, { ...query, after });
    steps.push(...page.steps);
    epochs.push(...page.epochs.map(({ epoch }) => epoch));
    sizes.push(page.steps.length);
    if (page.next !== null) expect(page.next).toBeGreaterThan(after);
    after = page.next;
  }
  return { steps, epochs, sizes };
}

Deno.test("metrics: the series of a job without steps and of an unknown job is empty", () =>
  withRun(async ({ store, id }) => {
    const empty = { steps: [], epochs: [], next: null };
    expect(await store.metrics(id)).toEqual(empty);
    expect(await store.metrics("job_none")).toEqual(empty);
  }));

Deno.test("metrics: written steps are read back exactly and in order, however they are split into updates", async (t) => {
  const { chunk, commit } = METRICS_LIMITS;
  const last = 2 * commit + 3;
  const splits: Record<string, number[]> = {
    "whole updates": [commit, 2 * commit],
    "around the ends of rows": [chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 1, 4 * chunk, 2 * commit],
    "unequal updates": [1, 2, 700, 1500, 3000],
  };
  for (const [name, ends] of Object.entries(splits)) {
    await t.step(name, () =>
      withRun(async ({ store, id, claim }) => {
        let first = 1;
        for (const end of [...ends, last]) {
          await claim.record({ steps: points(first, end) });
          first = end + 1;
        }
        const { steps, next } = await store.metrics(id, { limit: METRICS_LIMITS.page });
        expect(steps).toEqual(points(1, last));
        expect(next).toBeNull();
      }));
  }
});

Deno.test("metrics: pages of any size contain every step and every epoch once", async (t) => {
  const last = 1300;
  await withRun(async ({ store, id, claim }) => {
    await claim.record({ steps: points(1, last) });
    for (let epoch = 0; epoch < 13; epoch++) await claim.record({ epoch: epochPoint(epoch) });
    for (const limit of [99, 100, 511, 512, 513, 1299, 1300, 1301]) {
      await t.step(`${limit} steps in a page`, async () => {
        const { steps, epochs, sizes } = await readAll(store, id, { limit });
        expect(steps).toEqual(points(1, last));
        expect(epochs).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        expect(sizes).toHaveLength(Math.ceil(last / limit));
        expect(sizes.slice(0, -1).every((size) => size === limit)).toBe(true);
      });
    }
  });
});

Deno.test("metrics: a page contains the epochs that ended in it", () =>
  withRun(async ({ store, id, claim }) => {
    await claim.record({ steps: points(1, 350), epoch: epochPoint(0) });
    for (const epoch of [1, 2]) await claim.record({ epoch: epochPoint(epoch) });
    const first = await store.metrics(id, { limit: 199 });
    expect(first.epochs).toEqual([epochPoint(0)]);
    const second = await store.metrics(id, { after: first.next!, limit: 100 });
    expect(second.epochs).toEqual([epochPoint(1)]);
    expect((await store.metrics(id, { after: 299 })).epochs).toEqual([epochPoint(2)]);
    expect((await store.metrics(id, { after: 300 })).epochs).toEqual([]);
  }));

Deno.test("metrics: limit and every apply to epochs as to steps, and pages contain each epoch once", () =>
  withRun(async ({ store, id, claim }) => {
    const perEpoch = 2, epochs = 1000;
    const steps = points(1, epochs * perEpoch).map((point) => ({
      ...point,
      epoch: Math.floor((point.step - 1) / perEpoch),
    }));
    await claim.record({ steps });
    for (let epoch = 0; epoch < epochs; epoch++) {
      await claim.record({ epoch: epochPoint(epoch, perEpoch) });
    }
    const all = Array.from({ length: epochs }, (_, epoch) => epoch);
    for (const limit of [1, 7, 500, 1999, 2000]) {
      for (let after: number | null = 0, pages = 0; after !== null && pages < 3; pages++) {
        const page = await store.metrics(id, { limit, after });
        expect(page.epochs.length).toBeLessThanOrEqual(limit);
        after = page.next;
      }
      if (limit >= 500) expect((await readAll(store, id, { limit })).epochs).toEqual(all);
    }
    // One epoch for 100 steps: the last one that ended in them.
    const thin = await store.metrics(id, { every: 100, limit: 1000 });
    expect(thin.epochs).toEqual(all.filter((epoch) => epoch % 50 === 49).map((e) => epochPoint(e, perEpoch)));
    expect((await readAll(store, id, { every: 100, limit: 3 })).epochs).toEqual(
      thin.epochs.map(({ epoch }) => epoch),
    );
    expect((await store.metrics(id, { every: 1_000_000 })).epochs).toEqual([
      epochPoint(epochs - 1, perEpoch),
    ]);
    // Epochs that are not shorter than `every` are all included.
    expect((await store.metrics(id, { every: 2, limit: 1000 })).epochs).toHaveLength(epochs);
  }));

Deno.test("metrics: a page reads only the rows of its part of a long series", () =>
  withStore(async ({ kv, running }) => {
    const { id, claim } = await running();
    const counted = counting(kv), store = new JobStore(counted.kv);
    for (let epoch = 0; epoch < 600; epoch++) {
      const steps = [{ step: epoch + 1, epoch, loss: 1, lr: 1 }];
      await claim.record({ steps, epoch: epochPoint(epoch, 1) });
    }
    for (const after of [0, 300, 590]) {
      const reads = await readsOf(counted.reads, async () => {
        const { epochs } = await store.metrics(id, { after, limit: 10 });
        expect(epochs.map(({ step }) => step)).toEqual(Array.from({ length: 10 }, (_, i) => after + 1 + i));
      });
      expect(reads.entries).toBeLessThan(20);
    }
  }));

Deno.test("metrics: after excludes a step at any position in its row", () =>
  withRun(async ({ store, id, claim }) => {
    await claim.record({ steps: points(1, 1100) });
    for (const after of [1, 511, 512, 513, 1023, 1024, 1025, 1099]) {
      const { steps } = await store.metrics(id, { after, limit: 1 });
      expect(stepsOf(steps)).toEqual([after + 1]);
    }
    expect(await store.metrics(id, { after: 1100 })).toEqual({ steps: [], epochs: [], next: null });
    expect((await store.metrics(id, { after: 1024 })).steps).toEqual(points(1025, 1100));
  }));

Deno.test("metrics: every thins the series and always includes the newest step", () =>
  withRun(async ({ store, id, claim }) => {
    await claim.record({ steps: points(1, 1025) });
    const thin = await store.metrics(id, { every: 256 });
    expect(stepsOf(thin.steps)).toEqual([256, 512, 768, 1024, 1025]);
    expect(thin.next).toBeNull();
    expect(stepsOf((await store.metrics(id, { every: 205 })).steps)).toEqual([205, 410, 615, 820, 1025]);
    expect(stepsOf((await store.metrics(id, { every: 5000 })).steps)).toEqual([1025]);
    for (const limit of [1, 2, 3, 4, 5]) {
      const { steps, sizes } = await readAll(store, id, { limit, every: 256 });
      expect(stepsOf(steps)).toEqual([256, 512, 768, 1024, 1025]);
      expect(Math.max(...sizes)).toBe(limit);
    }
  }));

Deno.test("metrics: a growing series is read from the last known step", () =>
  withRun(async ({ store, id, claim }) => {
    await claim.record({ steps: points(1, 510) });
    const known = (await store.metrics(id)).steps;
    await claim.record({ steps: points(511, 515) });
    const more = await store.metrics(id, { after: known.at(-1)!.step });
    expect([...known, ...more.steps]).toEqual(points(1, 515));
  }));

Deno.test("metrics: writing the same steps and epochs again changes nothing", () =>
  withRun(async ({ store, id, claim }) => {
    const updates = [
      { steps: points(1, 500), epoch: epochPoint(0) },
      { steps: points(501, 530), epoch: epochPoint(1) },
    ];
    for (const update of [updates[0], updates[0], updates[1], updates[1]]) await claim.record(update);
    const { steps, epochs } = await store.metrics(id);
    expect(steps).toEqual(points(1, 530));
    expect(epochs).toEqual([epochPoint(0), epochPoint(1)]);
  }));

Deno.test("metrics: repeated steps replace the stored ones", () =>
  withRun(async ({ store, id, claim }) => {
    await claim.record({ steps: points(1, 600) });
    await claim.record({ steps: points(521, 600, 1) });
    expect((await store.metrics(id)).steps).toEqual([...points(1, 520), ...points(521, 600, 1)]);
  }));

Deno.test("metrics: a truncated series ends at the step and can be continued", async (t) => {
  for (const end of [0, 1, 511, 512, 513, 1024, 1500, 1599, 1600, 1601, 5000]) {
    await t.step(`after step ${end} of 1600`, () =>
      withRun(async ({ store, id, claim }) => {
        await claim.record({ steps: points(1, 1600) });
        for (let epoch = 0; epoch < 16; epoch++) await claim.record({ epoch: epochPoint(epoch) });
        await claim.rewind(end);
        const kept = Math.min(end, 1600);
        const truncated = await store.metrics(id, { limit: 2000 });
        expect(truncated.steps).toEqual(points(1, kept));
        expect(truncated.epochs.map(({ epoch }) => epoch)).toEqual(
          Array.from({ length: Math.floor(kept / PER_EPOCH) }, (_, epoch) => epoch),
        );
        await claim.record({ steps: points(kept + 1, kept + 40, 1) });
        expect((await store.metrics(id, { limit: 2000 })).steps)
          .toEqual([...points(1, kept), ...points(kept + 1, kept + 40, 1)]);
      }));
  }
});

Deno.test("metrics: a series of more rows than fit in a commit is truncated completely", () =>
  withRun(async ({ store, id, claim }) => {
    const perEpoch = 2;
    for (let epoch = 0; epoch < 1100; epoch++) {
      await claim.record({ epoch: epochPoint(epoch, perEpoch) });
    }
    await claim.record({ steps: points(1, 2000) });
    await claim.rewind(10);
    const { steps, epochs } = await store.metrics(id);
    expect(steps).toEqual(points(1, 10));
    expect(epochs.map(({ epoch }) => epoch)).toEqual([0, 1, 2, 3, 4]);
  }));

Deno.test("metrics: jobs have separate series", () =>
  withStore(async ({ store, running }) => {
    const first = await running(), second = await running();
    await first.claim.record({ steps: points(1, 600), epoch: epochPoint(0) });
    await second.claim.record({ steps: points(1, 3, 1) });
    await second.claim.rewind(2);
    expect((await store.metrics(first.id)).steps).toEqual(points(1, 600));
    expect(await store.metrics(second.id)).toEqual({ steps: points(1, 2, 1), epochs: [], next: null });
  }));

Deno.test("metrics: a query outside the limits is an error that names the limits", () =>
  withRun(async ({ store, id, claim }) => {
    const expectError = async (query: Record<string, number>, message: string) => {
      const error = await Promise.resolve().then(() => store.metrics(id, query)).catch((error) => error);
      expect(error).toBeInstanceOf(RangeError);
      expect(error.message).toBe(message);
    };
    const expectRange = (name: string, from: number, to: number, value: number) =>
      expectError(
        { [name]: value },
        `${name} must be a whole number from ${from} to ${to}: current value is ${value}`,
      );
    await expectRange("limit", 1, 10_000, 0);
    await expectRange("limit", 1, 10_000, 10_001);
    await expectRange("limit", 1, 10_000, 1.5);
    await expectRange("every", 1, Number.MAX_SAFE_INTEGER, 0);
    await expectRange("after", 0, Number.MAX_SAFE_INTEGER, -1);
    await expect(claim.record({ steps: points(1, METRICS_LIMITS.commit + 1) })).rejects.toThrow(
      "An update must have at most 2048 steps: current number is 2049",
    );
  }));
