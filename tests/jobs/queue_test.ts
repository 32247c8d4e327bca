import { expect } from "expect";
import { LeaseLostError } from "../../jobs/queue.ts";
import { MAX_INTERRUPTIONS } from "../../jobs/transitions.ts";
import { checkpointOf, claimed, withStore } from "./fixtures.ts";

const step = (n: number) => ({ step: n, epoch: 0, loss: 1 / n, lr: 0.1 });

Deno.test("jobs are claimed oldest first, each by one runner, however many ask at once", () =>
  withStore(async ({ runner, queued }) => {
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push(await queued());
    const first = await claimed(runner());
    expect(first.job).toMatchObject({ id: ids[0], status: "running", attempt: 1 });
    const claims = await Promise.all(Array.from({ length: 20 }, (_, i) => runner(`r${i}`).claim()));
    const taken = claims.flatMap((claim) => claim ? [claim.job.id] : []);
    expect(taken.sort()).toEqual(ids.slice(1));
    expect(await runner().claim()).toBeNull();
  }));

Deno.test("a heartbeat keeps the lease and tells of a cancel; without it the job goes to another runner", () =>
  withStore(async ({ runner, running, store, clock }) => {
    const { id, queue, claim } = await running();
    for (let i = 0; i < 5; i++) {
      clock.advance(10_000);
      expect(await queue.heartbeat(claim)).toEqual({ cancelRequested: false });
      expect(await queue.reap()).toEqual([]);
    }
    await store.cancel(id);
    expect(await queue.heartbeat(claim)).toEqual({ cancelRequested: true });

    const other = runner("other");
    clock.advance(15_001);
    expect(await other.reap()).toEqual([id]);
    expect(await store.get(id)).toMatchObject({ status: "cancelled" });
  }));

Deno.test("whoever lost the lease can write nothing at all", () =>
  withStore(async ({ runner, running, store, clock }) => {
    const { id, queue, claim } = await running();
    await queue.record(claim, { steps: [step(1)] });
    clock.advance(15_001);
    const other = runner("other");
    expect(await other.reap()).toEqual([id]);
    const second = await claimed(other);
    expect(second.job).toMatchObject({ id, attempt: 2, interruptions: 1 });
    const writes = [
      () => queue.heartbeat(claim),
      () => queue.record(claim, { steps: [step(2)], checkpoint: checkpointOf(id) }),
      () => queue.rewind(claim, 0),
      () => queue.finish(claim, { type: "succeeded", result: {} }),
    ];
    for (const write of writes.filter((_, i) => i !== 2)) {
      await expect(write()).rejects.toBeInstanceOf(LeaseLostError);
    }
    await expect(writes[2]()).rejects.toBeInstanceOf(LeaseLostError);
    expect((await store.listCheckpoints(id)).data).toEqual([]);
    expect((await store.metrics(id)).steps.map((point) => point.step)).toEqual([1]);
    expect(await other.finish(second, { type: "succeeded", result: { ok: 1 } })).toMatchObject({
      status: "succeeded",
    });
    await expect(other.heartbeat(second)).rejects.toBeInstanceOf(LeaseLostError);
  }));

Deno.test("a job is given up when its runner is lost too often without a checkpoint between", () =>
  withStore(async ({ runner, queued, store, clock }) => {
    const id = await queued();
    for (let i = 1; i <= MAX_INTERRUPTIONS; i++) {
      await claimed(runner());
      clock.advance(15_001);
      expect(await runner().reap()).toEqual([id]);
      expect((await store.get(id))!.status).toBe(i < MAX_INTERRUPTIONS ? "queued" : "failed");
    }
    expect(await store.get(id)).toMatchObject({ error: { code: "runner_lost" } });
  }));

Deno.test("what a run tells becomes visible together, and is cut off where the next attempt begins", () =>
  withStore(async ({ running, store }) => {
    const { id, queue, claim } = await running();
    const progress = { step: 600, totalSteps: 900, epoch: 0, loss: 0.5, imagesPerSecond: 100, etaSeconds: 3 };
    const checkpoint = checkpointOf(id, { step: 600 });
    const steps = Array.from({ length: 600 }, (_, i) => step(i + 1));
    await queue.record(claim, {
      steps,
      progress,
      checkpoint,
      epoch: { epoch: 0, step: 600, loss: 0.2, metrics: { accuracy: 1 } },
    });
    expect(await store.get(id)).toMatchObject({ progress, latestCheckpoint: checkpoint.id });
    expect(await store.getCheckpoint(checkpoint.id)).toMatchObject({
      step: 600,
      createdAt: expect.any(String),
    });
    await queue.record(claim, { steps: [601, 602, 603].map(step) });
    await queue.record(claim, { steps: [602, 603, 604].map(step) });
    expect((await store.metrics(id, { after: 598 })).steps.map((p) => p.step)).toEqual([
      599,
      600,
      601,
      602,
      603,
      604,
    ]);

    await queue.rewind(claim, 600);
    const series = await store.metrics(id, { limit: 10_000 });
    expect(series.steps.map((p) => p.step)).toEqual(steps.map((p) => p.step));
    expect(series.epochs.map((p) => p.step)).toEqual([600]);
    await queue.rewind(claim, 0);
    expect(await store.metrics(id)).toEqual({ steps: [], epochs: [], next: null });
  }));

Deno.test("a series is read in pages and thinned, the newest step always among it", () =>
  withStore(async ({ running, store }) => {
    const { id, queue, claim } = await running();
    await queue.record(claim, { steps: Array.from({ length: 1030 }, (_, i) => step(i + 1)) });
    const seen: number[] = [];
    for (let after: number | null = 0; after !== null;) {
      const page: Awaited<ReturnType<typeof store.metrics>> = await store.metrics(id, { after, limit: 400 });
      seen.push(...page.steps.map((p) => p.step));
      after = page.next;
    }
    expect(seen).toEqual(Array.from({ length: 1030 }, (_, i) => i + 1));
    expect((await store.metrics(id, { every: 500 })).steps.map((p) => p.step)).toEqual([500, 1000, 1030]);
    for (const query of [{ limit: 0 }, { limit: 10_001 }, { every: 0 }, { after: -1 }]) {
      await expect(Promise.resolve().then(() => store.metrics(id, query))).rejects.toBeInstanceOf(RangeError);
    }
  }));

Deno.test("a run ends in every way a run can end, and a result that is too large is a failure", () =>
  withStore(async ({ running, store }) => {
    const ends = [
      [{ type: "succeeded", result: { loss: 1 } }, { status: "succeeded", result: { loss: 1 } }],
      [{ type: "failed", error: { code: "c", message: "m" } }, {
        status: "failed",
        error: { code: "c", message: "m" },
      }],
      [{ type: "cancelled" }, { status: "cancelled" }],
      [{ type: "succeeded", result: { x: "x".repeat(40_000) } }, {
        status: "failed",
        error: { code: "result_too_large" },
      }],
    ] as const;
    for (const [outcome, expected] of ends) {
      const { id, queue, claim } = await running();
      await queue.finish(claim, outcome);
      expect(await store.get(id)).toMatchObject({ ...expected, finishedAt: expect.any(String) });
    }
    const { id, queue, claim } = await running();
    await queue.finish(claim, { type: "released" });
    expect(await store.get(id)).toMatchObject({ status: "queued", interruptions: 0, finishedAt: null });
    expect((await claimed(queue)).job).toMatchObject({ id, attempt: 2 });
  }));
