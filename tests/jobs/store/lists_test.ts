import { expect } from "expect";
import { JobStore } from "../../../jobs/store/store.ts";
import { counting, readsOf } from "../../setup/countingKv.ts";
import { checkpointOf, withStore } from "../fixtures.ts";

Deno.test("lists: a page of 100 jobs takes one read, and a dozen by state or kind", async (t) => {
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

Deno.test("lists: a page of 100 checkpoints takes a dozen reads", () =>
  withStore(async ({ kv, running }) => {
    const { id, claim } = await running({ keep: { last: 1000 } });
    for (let i = 0; i < 120; i++) await claim.record({ checkpoint: checkpointOf(id) });
    const counted = counting(kv), store = new JobStore(counted.kv);
    const reads = await readsOf(counted.reads, async () => {
      expect((await store.listCheckpoints(id, { limit: 100 })).data).toHaveLength(100);
    });
    expect(reads.calls).toBe(12);
  }));

Deno.test("lists: more jobs than one read returns are complete and in order", () =>
  withStore(async ({ store, queued }) => {
    const ids: string[] = [];
    for (let i = 0; i < 450; i++) ids.unshift(await queued());
    for (const query of [{}, { status: "queued" }] as const) {
      const whole = await store.list({ ...query, limit: 1000 });
      expect(whole.data.map(({ id }) => id)).toEqual(ids);
      expect(whole).toMatchObject({ hasMore: false, next: null });
      const part = await store.list({ ...query, limit: 400 });
      expect(part.data.map(({ id }) => id)).toEqual(ids.slice(0, 400));
      expect(part).toMatchObject({ hasMore: true, next: ids[399] });
    }
  }));
