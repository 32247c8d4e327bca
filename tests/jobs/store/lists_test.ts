import { expect } from "expect";
import type { JobStatus } from "../../../jobs/job.ts";
import type { JobKind } from "../../../jobs/kinds/mod.ts";
import { JobStore } from "../../../jobs/store/store.ts";
import { counting, readsOf } from "../../setup/countingKv.ts";
import { checkpointOf, claimed, NO_OBJECTS, trainedJob, withStore } from "../fixtures.ts";
import { jobsOfEachStatus } from "../history.ts";

Deno.test("list: a page of 100 jobs takes 1 call, and 12 calls by status or kind", async (t) => {
  await withStore(async ({ kv, queued }) => {
    for (let i = 0; i < 120; i++) await queued();
    const counted = counting(kv), store = new JobStore(counted.kv);
    for (const query of [{}, { status: "queued" }, { kind: "pretrain" }] as const) {
      await t.step(JSON.stringify(query), async () => {
        const reads = await readsOf(counted.reads, async () => {
          const page = await store.list({ ...query, limit: 100 });
          expect(page.data).toHaveLength(100);
          expect(page.hasMore).toBe(true);
        });
        const isFiltered = Object.keys(query).length > 0;
        expect(reads).toEqual(isFiltered ? { calls: 12, entries: 202 } : { calls: 1, entries: 101 });
      });
    }
  });
});

Deno.test("listCheckpoints: a page of 100 checkpoints takes 12 calls", () =>
  withStore(async ({ kv, running }) => {
    const { id, claim } = await running({ keep: { last: 1000 } });
    for (let i = 0; i < 120; i++) await claim.record({ checkpoint: checkpointOf(id) });
    const counted = counting(kv), store = new JobStore(counted.kv);
    const reads = await readsOf(counted.reads, async () => {
      expect((await store.listCheckpoints(id, { limit: 100 })).data).toHaveLength(100);
    });
    expect(reads.calls).toBe(12);
  }));

Deno.test("list: a page of more jobs than one call returns is complete and in order", () =>
  withStore(async ({ store, queued }) => {
    const ids: string[] = [];
    for (let i = 0; i < 450; i++) ids.unshift(await queued());
    for (const query of [{}, { status: "queued" }] as const) {
      const all = await store.list({ ...query, limit: 1000 });
      expect(all.data.map(({ id }) => id)).toEqual(ids);
      expect(all).toMatchObject({ hasMore: false, next: null });
      const part = await store.list({ ...query, limit: 400 });
      expect(part.data.map(({ id }) => id)).toEqual(ids.slice(0, 400));
      expect(part).toMatchObject({ hasMore: true, next: ids[399] });
    }
  }));

Deno.test("list: jobs by status and kind, newest first", async (t) => {
  await withStore(async (setting) => {
    const { store } = setting;
    const jobs = [...(await jobsOfEachStatus(setting)).values()].reverse();
    const statuses = [undefined, "queued", "running", "succeeded", "failed", "cancelled"] as const;
    for (const status of statuses) {
      for (const kind of [undefined, "pretrain", "linear_probe", "evaluate"] as (JobKind | undefined)[]) {
        await t.step(`status ${status ?? "any"}, kind ${kind ?? "any"}`, async () => {
          const page = await store.list({ status, kind });
          expect(page.data).toEqual(
            jobs.filter((job) => (!status || job.status === status) && (!kind || job.kind === kind)),
          );
          expect(page).toMatchObject({ hasMore: false, next: null });
        });
      }
    }
  });
});

Deno.test("counts: the number of jobs with each status", () =>
  withStore(async (setting) => {
    const none = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
    expect(await setting.store.counts()).toEqual(none);
    await jobsOfEachStatus(setting);
    await setting.queued();
    expect(await setting.store.counts())
      .toEqual({ queued: 3, running: 2, succeeded: 2, failed: 2, cancelled: 2 });
  }));

Deno.test("list: pages of any size contain every job once", async (t) => {
  await withStore(async ({ store, queued }) => {
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.unshift(await queued());
    for (const limit of [1, 5, 11, 12, 13]) {
      await t.step(`${limit} a page`, async () => {
        const found: string[] = [], sizes: number[] = [];
        for (let after: string | undefined, more = true; more;) {
          const { data, hasMore, next } = await store.list({ status: "queued", limit, after });
          expect(next).toBe(hasMore ? data.at(-1)!.id : null);
          found.push(...data.map(({ id }) => id));
          sizes.push(data.length);
          more = hasMore;
          after = next ?? undefined;
        }
        expect(found).toEqual(ids);
        expect(sizes).toHaveLength(Math.ceil(12 / limit));
      });
    }
  });
});

Deno.test("list: a page has twenty jobs by default and at most a thousand", () =>
  withStore(async ({ store, queued }) => {
    for (let i = 0; i < 21; i++) await queued();
    const page = await store.list();
    expect(page.data).toHaveLength(20);
    expect(page.hasMore).toBe(true);
    for (const limit of [0, 1001, 2.5, NaN]) {
      const error = await (async () => await store.list({ limit }))().catch((error) => error);
      expect(error).toBeInstanceOf(RangeError);
      expect(error.message).toBe(`limit must be a whole number from 1 to 1000: current value is ${limit}`);
    }
  }));

Deno.test("list: jobs created, finished or deleted between two pages neither repeat nor hide another job", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 9; i++) ids.unshift(await queued());
    const first = await store.list({ limit: 3 });
    await queued(); // newer than the first page, so not on the next ones
    await store.delete(ids[2], NO_OBJECTS); // the job at the cursor
    await store.delete(ids[4], NO_OBJECTS);
    await claimed(runner()); // the oldest
    const second = await store.list({ limit: 3, after: first.next! });
    const third = await store.list({ limit: 3, after: second.next! });
    const found = [first, second, third].flatMap(({ data }) => data.map(({ id }) => id));
    expect(found).toEqual(ids.filter((id) => id !== ids[4]));
    expect(third.data.at(-1)).toMatchObject({ id: ids[8], status: "running" });
    expect(third.hasMore).toBe(false);
  }));

Deno.test("list: a page of a status contains only jobs with that status, even while jobs change", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 60; i++) ids.push(await queued());
    let done = false;
    const changing = (async () => {
      const queue = runner();
      for (let claim = await queue.claim(); claim !== null; claim = await queue.claim()) {
        await claim.finish({ type: "succeeded", result: {} });
      }
      done = true;
    })();
    const statuses: JobStatus[] = ["queued", "running", "succeeded"];
    do {
      for (const status of statuses) {
        const { data } = await store.list({ status, limit: 1000 });
        expect(data.every((job) => job.status === status)).toBe(true);
        expect(new Set(data.map(({ id }) => id)).size).toBe(data.length);
      }
      expect((await store.list({ limit: 1000 })).data).toHaveLength(60);
    } while (!done);
    await changing;
    expect((await store.list({ status: "succeeded", limit: 1000 })).data.map(({ id }) => id)).toEqual(
      ids.reverse(),
    );
  }));

Deno.test("listCheckpoints: the checkpoints of one job in pages, newest first", () =>
  withStore(async (setting) => {
    const { store, clock } = setting;
    await trainedJob(setting, 2);
    const { id, checkpoints } = await trainedJob(setting, 5);
    await trainedJob(setting, 2);
    const newest = checkpoints.toReversed();
    const all = await store.listCheckpoints(id);
    expect(all).toMatchObject({ hasMore: false, next: null });
    expect(all.data.map(({ id }) => id)).toEqual(newest);
    expect(all.data[0]).toEqual({
      ...checkpointOf(id, { id: newest[0], step: 5, final: true }),
      createdAt: clock.text,
    });
    expect(await store.getCheckpoint(newest[0])).toEqual(all.data[0]);
    const first = await store.listCheckpoints(id, { limit: 2 });
    expect(first).toMatchObject({ hasMore: true, next: newest[1] });
    const rest = await store.listCheckpoints(id, { limit: 3, after: first.next! });
    expect(rest).toMatchObject({ hasMore: false, next: null });
    expect([...first.data, ...rest.data]).toEqual(all.data);
    expect((await store.listCheckpoints("job_none")).data).toEqual([]);
    await expect((async () => await store.listCheckpoints(id, { limit: 0 }))()).rejects.toThrow(RangeError);
  }));
