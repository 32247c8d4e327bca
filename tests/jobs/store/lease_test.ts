import { expect } from "expect";
import { LEASE_MS, LeaseLostError } from "../../../jobs/store/queue/lease.ts";
import { MAX_INTERRUPTIONS } from "../../../jobs/transitions.ts";
import { checkpointOf, claimed, NO_OBJECTS, withStore } from "../fixtures.ts";
import { points, progressAt } from "./steps.ts";

Deno.test("heartbeat: a renewal extends the lease by its whole length", () =>
  withStore(async ({ store, clock, running, runner }) => {
    const { id, claim } = await running();
    for (let i = 0; i < 10; i++) {
      clock.advance(LEASE_MS - 1);
      expect(await claim.heartbeat()).toEqual({ cancelRequested: false });
      expect(await runner("other").reap()).toEqual([]);
    }
    clock.advance(LEASE_MS);
    expect(await runner("other").reap()).toEqual([]);
    clock.advance(1);
    expect(await runner("other").reap()).toMatchObject([{ id }]);
    expect((await store.get(id))!.status).toBe("queued");
  }));

Deno.test("heartbeat: heartbeats at less than a fifth of the lease keep it too", () =>
  withStore(async ({ clock, running, runner }) => {
    const { claim } = await running();
    for (let i = 0; i < 100; i++) {
      clock.advance(LEASE_MS / 20);
      await claim.heartbeat();
      expect(await runner("other").reap()).toEqual([]);
    }
  }));

Deno.test("heartbeat: the length of a lease is an option of its runner", () =>
  withStore(async ({ clock, queued, runner }) => {
    const id = await queued();
    const queue = runner("with long leases", { leaseMs: 60_000 });
    const claim = await claimed(queue);
    clock.advance(60_000);
    expect(await runner("other").reap()).toEqual([]);
    await claim.heartbeat();
    clock.advance(60_001);
    expect(await runner("other").reap()).toMatchObject([{ id }]);
    expect(() => runner("with short leases", { leaseMs: 99 })).toThrow(
      "leaseMs must be at least 100: current value is 99",
    );
    expect(() => runner("with short leases", { leaseMs: NaN })).toThrow(RangeError);
  }));

Deno.test("heartbeat: the next heartbeat reports a cancel request, whether it renews the lease or not", () =>
  withStore(async ({ store, clock, running }) => {
    const { id, claim } = await running();
    await store.cancel(id);
    expect(await claim.heartbeat()).toEqual({ cancelRequested: true });
    clock.advance(LEASE_MS / 2);
    expect(await claim.heartbeat()).toEqual({ cancelRequested: true });
  }));

Deno.test("heartbeat: a late heartbeat renews an expired lease that was not reaped", () =>
  withStore(async ({ clock, running, runner }) => {
    const { claim } = await running();
    clock.advance(10 * LEASE_MS);
    await claim.heartbeat();
    expect(await runner("other").reap()).toEqual([]);
  }));

Deno.test("fencing: a run that lost its lease cannot write, even when the job runs again", async (t) => {
  const update = {
    steps: points(6, 9, 1),
    progress: progressAt(9),
    epoch: { epoch: 0, step: 9, loss: 9, metrics: {} },
    logs: [{ level: "info", message: "too late" }],
  } as const;
  const states = [
    "queued again",
    "claimed by another",
    "finished by another",
    "cancelled",
    "deleted",
  ] as const;
  for (const state of states) {
    await t.step(state, () =>
      withStore(async ({ store, clock, running, runner }) => {
        const { id, claim } = await running();
        await claim.record({ steps: points(1, 5), progress: progressAt(5) });
        if (state === "cancelled") await store.cancel(id);
        clock.advance(LEASE_MS + 1);
        const other = runner("other");
        expect(await other.reap()).toMatchObject([{ id }]);
        if (state === "claimed by another" || state === "finished by another") {
          const second = await claimed(other);
          expect(second.job.id).toBe(id);
          if (state === "finished by another") {
            await second.finish({ type: "succeeded", result: { loss: 0.5 } });
          }
        }
        if (state === "deleted") await store.delete(id, NO_OBJECTS);

        const before = [await store.get(id), await store.events(id), await store.metrics(id)];
        const checkpoint = checkpointOf(id);
        const writes = [
          () => claim.heartbeat(),
          () => claim.record(update),
          () => claim.record({ checkpoint }),
          () => claim.finish({ type: "succeeded", result: {} }),
          () => claim.finish({ type: "failed", error: { code: "x", message: "x" } }),
          () => claim.finish({ type: "released" }),
        ];
        if (state !== "deleted") writes.push(() => claim.rewind(2) as never);
        for (const write of writes) {
          const error = await write().catch((error) => error);
          expect(error).toBeInstanceOf(LeaseLostError);
          expect(error.message).toBe(`The lease of job '${id}' was lost: another runner may have it`);
          expect(error.jobId).toBe(id);
        }
        expect([await store.get(id), await store.events(id), await store.metrics(id)]).toEqual(before);
        expect(await store.getCheckpoint(checkpoint.id)).toBeNull();
      }));
  }
});

Deno.test("fencing: a finished run cannot write", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const ended = await claim.finish({ type: "succeeded", result: { loss: 1 } });
    await expect(claim.record({ progress: progressAt(1) })).rejects.toThrow(LeaseLostError);
    await expect(claim.finish({ type: "failed", error: { code: "x", message: "x" } }))
      .rejects.toThrow(LeaseLostError);
    expect(await store.get(id)).toEqual(ended);
  }));

Deno.test("reap: a job is queued again, and fails after too many lost runners without a checkpoint", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued(), queue = runner();
    for (let lost = 1; lost <= MAX_INTERRUPTIONS; lost++) {
      expect((await claimed(queue)).job.attempt).toBe(lost);
      clock.advance(LEASE_MS + 1);
      expect(await runner("other").reap()).toMatchObject([{ id }]);
      expect((await store.get(id))!.interruptions).toBe(lost);
    }
    const job = (await store.get(id))!;
    expect(job).toMatchObject({ status: "failed", finishedAt: clock.text, error: { code: "runner_lost" } });
    expect(await queue.claim()).toBeNull();
    expect(await queue.reap()).toEqual([]);
    const events = await store.events(id);
    expect(events.map(({ data }) => data.status)).toEqual([
      ...Array.from({ length: MAX_INTERRUPTIONS }, () => ["queued", "running"]).flat(),
      "failed",
    ]);
    expect(events[2].message).toBe("Back in the queue: its runner was lost or shut down");
    expect(events.at(-1)).toMatchObject({ level: "error", message: `Failed: ${job.error!.message}` });
  }));

Deno.test("reap: a job that writes checkpoints never fails because of lost runners", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued(), queue = runner();
    for (let lost = 1; lost <= 2 * MAX_INTERRUPTIONS; lost++) {
      await (await claimed(queue)).record({ checkpoint: checkpointOf(id, { step: lost }) });
      clock.advance(LEASE_MS + 1);
      await queue.reap();
    }
    expect(await store.get(id)).toMatchObject({ status: "queued", interruptions: 1 });
  }));

Deno.test("reap: concurrent calls end each expired lease once, and no other lease", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const expired = [await queued(), await queued(), await queued()];
    for (const _ of expired) await claimed(runner());
    clock.advance(LEASE_MS);
    const young = await queued();
    await claimed(runner());
    clock.advance(1);
    const reaped = await Promise.all(Array.from({ length: 8 }, (_, i) => runner(`reaper ${i}`).reap()));
    expect(reaped.flat().map(({ id }) => id).sort()).toEqual(expired);
    expect((await store.get(young))!.status).toBe("running");
    for (const id of expired) {
      expect(await store.get(id)).toMatchObject({ status: "queued", interruptions: 1 });
    }
  }));

Deno.test("reap: a cancelled job ends and is not queued again", () =>
  withStore(async ({ store, clock, running, runner }) => {
    const { id } = await running();
    await store.cancel(id);
    clock.advance(LEASE_MS + 1);
    expect(await runner("other").reap()).toMatchObject([{ id }]);
    expect(await store.get(id)).toMatchObject({ status: "cancelled", finishedAt: clock.text });
    expect(await runner("other").claim()).toBeNull();
  }));

for (
  const [duration, ms, leaseMs, isReaped] of [
    ["an hour", 3_600_000, 15_000, true],
    ["an hour, with long leases", 3_600_000, 60_000, true],
    ["ten seconds", 10_000, 15_000, false],
    ["a minute, with long leases", 60_000, 90_000, false],
  ] as const
) {
  Deno.test(`reap: after the clock was set back by ${duration}, the lease is ${isReaped ? "ended" : "kept"}`, () =>
    withStore(async ({ store, clock, runner, queued }) => {
      const id = await queued();
      await claimed(runner("killed", { leaseMs }));
      clock.advance(-ms);
      const reaper = runner("reaper", { leaseMs: 15_000 });
      expect(await reaper.reap()).toMatchObject(isReaped ? [{ id }] : []);
      if (!isReaped) return;
      await claimed(reaper);
      clock.advance(-ms);
      await store.cancel(id);
      await runner("another").reap();
      expect(await store.get(id)).toMatchObject({ status: "cancelled" });
      await store.delete(id, NO_OBJECTS);
      expect(await store.get(id)).toBe(null);
    }));
}

Deno.test("heartbeat: a living runner renews its lease after the clock was set back", () =>
  withStore(async ({ clock, runner, running }) => {
    const { id, queue, claim } = await running();
    clock.advance(-3_600_000);
    await claim.heartbeat();
    expect(await runner("reaper").reap()).toEqual([]);
    clock.advance(queue.leaseMs + 1);
    expect(await runner("reaper").reap()).toMatchObject([{ id }]);
  }));

Deno.test("reap: a lease of an earlier version, without a length, has the default length", () =>
  withStore(async ({ kv, clock, runner, running }) => {
    const { id } = await running();
    await kv.set(["lease", id], { runner: "old", token: "t", until: clock.now() + 15_000 });
    expect(await runner("reaper").reap()).toEqual([]);
    await kv.set(["lease", id], { runner: "old", token: "t", until: clock.now() + 3_600_000 });
    expect(await runner("reaper").reap()).toMatchObject([{ id }]);
  }));
