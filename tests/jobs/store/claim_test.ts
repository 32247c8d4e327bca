import { expect } from "expect";
import type { Claim } from "../../../jobs/store/queue/claim.ts";
import { JobQueue } from "../../../jobs/store/queue/queue.ts";
import { claimed, NO_OBJECTS, request, storeFixture, withStore } from "../fixtures.ts";

Deno.test("claim: the oldest queued job is claimed first", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids = [await queued(), await queued(), await queued()];
    const queue = runner("a");
    for (const id of ids) {
      const { job } = await claimed(queue);
      expect(job).toMatchObject({ id, status: "running", attempt: 1 });
      expect(await store.get(id)).toEqual(job);
    }
    expect(await queue.claim()).toBeNull();
  }));

Deno.test("claim: the job and its events have the time of the start", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued();
    clock.advance(5000);
    const { job } = await claimed(runner());
    expect(job.startedAt).toBe(clock.text);
    const events = await store.events(id);
    expect(events.map(({ seq, type, message }) => [seq, type, message])).toEqual([
      [1, "status", "Queued"],
      [2, "status", "Running"],
    ]);
    expect(events[1].createdAt).toBe(clock.text);
    expect(events[1].data).toEqual({ status: "running", attempt: 1 });
  }));

Deno.test("claim: a released job is claimed before younger jobs", () =>
  withStore(async ({ store, queued, running }) => {
    const { id, queue, claim } = await running();
    const later = await queued();
    await claim.finish({ type: "released" });
    expect((await store.get(id))!.status).toBe("queued");
    expect((await claimed(queue)).job).toMatchObject({ id, attempt: 2 });
    expect((await claimed(queue)).job.id).toBe(later);
  }));

Deno.test("claim: cancelled and deleted jobs are not claimed", () =>
  withStore(async ({ store, queued, runner }) => {
    const [cancelled, deleted, kept] = [await queued(), await queued(), await queued()];
    await store.cancel(cancelled);
    await store.delete(deleted, NO_OBJECTS);
    const queue = runner();
    expect((await claimed(queue)).job.id).toBe(kept);
    expect(await queue.claim()).toBeNull();
  }));

Deno.test("claim: concurrent runners claim every job once", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 60; i++) ids.push(await queued());
    const claims = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const queue = runner(`runner ${i}`), claims: Claim[] = [];
      for (let claim = await queue.claim(); claim !== null; claim = await queue.claim()) claims.push(claim);
      return claims;
    }));
    const all = claims.flat();
    expect(all.map(({ job }) => job.id).sort()).toEqual(ids);
    expect(new Set(all.map(({ token }) => token)).size).toBe(60);
    expect(all.every(({ job }) => job.attempt === 1)).toBe(true);
    expect((await store.counts()).running).toBe(60);
  }));

Deno.test("claim: with as many runners as jobs, each concurrent call claims a job", () =>
  withStore(async ({ queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 48; i++) ids.push(await queued());
    const claims = await Promise.all(ids.map((_, i) => runner(`runner ${i}`).claim()));
    expect(claims.map((claim) => claim?.job.id).sort()).toEqual(ids);
  }));

Deno.test("claim: runners of two processes with one database file never claim the same job", async () => {
  const folder = await Deno.makeTempDir();
  const kvs = [await Deno.openKv(`${folder}/jobs.db`), await Deno.openKv(`${folder}/jobs.db`)];
  try {
    const [first, second] = kvs.map((kv) => storeFixture(kv));
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(await first.queued());
    const claims = await Promise.all(
      [first, second].flatMap((fixture, process) =>
        Array.from({ length: 3 }, async (_, i) => {
          const queue = fixture.runner(`process ${process} runner ${i}`), claimedIds: string[] = [];
          for (let claim = await queue.claim(); claim !== null; claim = await queue.claim()) {
            claimedIds.push(claim.job.id);
          }
          return claimedIds;
        })
      ),
    );
    expect(claims.flat().sort()).toEqual(ids);
  } finally {
    for (const kv of kvs) kv.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("queue: listeners in the same process are called when a job is created or queued again", () =>
  withStore(async ({ store }) => {
    let calls = 0;
    const ended = new AbortController(), queue = new JobQueue(store, "runner");
    store.onQueued(() => calls++, ended.signal);
    await store.create(request());
    expect(calls).toBe(1);
    await (await claimed(queue)).finish({ type: "released" });
    expect(calls).toBe(2);
    await claimed(queue);
    ended.abort();
    await store.create(request());
    expect(calls).toBe(2);
  }));

Deno.test("claim: a job handed back in an outage is claimed after the others", () =>
  withStore(async ({ runner, queued, running }) => {
    const { id, queue, claim } = await running();
    const other = await queued();
    await claim.finish({ type: "outage", cause: "no mirror answers", waitedMs: 600_000 });
    expect((await claimed(queue)).job.id).toBe(other);
    expect((await claimed(queue)).job).toMatchObject({ id, attempt: 2, outageMs: 600_000 });
    expect(await runner("another").claim()).toBe(null);
  }));
