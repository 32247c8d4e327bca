import { expect } from "expect";
import { findDatasetUser } from "../../../jobs/store/creation/datasetUse.ts";
import { JobStore } from "../../../jobs/store/store.ts";
import { counting, readsOf } from "../../setup/countingKv.ts";
import { killedAfter, withStore } from "../fixtures.ts";
import { changeAtRandom, makeOld, recounted } from "../history.ts";

for (const seed of [1, 2, 3]) {
  Deno.test(`counters: after random changes, they equal the number of rows (seed ${seed})`, () =>
    withStore(async (setting) => {
      const { store, kv } = setting;
      await store.upgrade();
      await changeAtRandom(setting, seed, 200);
      const counts = await store.counts();
      expect(counts).toEqual(await recounted(kv));
      expect(Object.values(counts).reduce((sum, count) => sum + count)).toBeGreaterThan(10);
    }));
}

Deno.test("counters: reading them takes the same number of calls with 5 jobs and with 300", () =>
  withStore(async ({ kv, queued, store }) => {
    await store.upgrade();
    const counted = counting(kv), reader = new JobStore(counted.kv);
    for (let i = 0; i < 5; i++) await queued();
    const few = await readsOf(counted.reads, () => reader.counts());
    for (let i = 0; i < 295; i++) await queued();
    const many = await readsOf(counted.reads, () => reader.counts());
    expect(many).toEqual(few);
    expect(many.calls).toBe(1);
    expect((await reader.counts()).queued).toBe(300);
  }));

for (const seed of [1, 2, 3]) {
  Deno.test(`upgrade: three processes count the jobs of an earlier version correctly while jobs change (seed ${seed})`, () =>
    withStore(async (setting) => {
      const { store, kv } = setting;
      await changeAtRandom(setting, seed, 300);
      await makeOld(kv);
      // The answers are also correct before the upgrade.
      expect(await store.counts()).toEqual(await recounted(kv));
      expect(await findDatasetUser(kv, "ds_1")).not.toBeNull();

      const total = (await store.list({ limit: 1000 })).data.length;
      const processes = [store, new JobStore(kv), new JobStore(kv)];
      const [added] = await Promise.all([
        Promise.all(processes.map((store) => store.upgrade())),
        changeAtRandom(setting, seed + 10, 100),
      ]);
      expect(added.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(total);
      expect(await store.counts()).toEqual(await recounted(kv));
      await changeAtRandom(setting, seed + 20, 100);
      expect(await store.counts()).toEqual(await recounted(kv));
      expect(await store.upgrade()).toBe(0);
      for (let user = await findDatasetUser(kv, "ds_1"); user; user = await findDatasetUser(kv, "ds_1")) {
        expect(user).toMatchObject({ request: { dataset: { id: "ds_1" } }, finishedAt: null });
        await store.cancel(user.id);
        if (user.status !== "running") continue;
        setting.clock.advance(60_000);
        await setting.runner().reap();
      }
      const { data } = await store.list({ limit: 1000 });
      expect(data.filter((job) => job.finishedAt === null && job.request.dataset.id === "ds_1")).toEqual([]);
    }));
}

Deno.test("upgrade: an interrupted upgrade is continued and counts no job twice", () =>
  withStore(async ({ store, kv, queued }) => {
    for (let i = 0; i < 45; i++) await queued({ dataset: "ds_1" });
    await makeOld(kv);
    await expect(new JobStore(killedAfter(kv, 2)).upgrade()).rejects.toThrow("the process was killed");
    expect((await store.counts()).queued).toBe(45);
    expect(await store.upgrade()).toBe(25);
    expect((await store.counts()).queued).toBe(45);
    const counted = counting(kv);
    expect((await findDatasetUser(counted.kv, "ds_1"))!.request.dataset.id).toBe("ds_1");
  }));
