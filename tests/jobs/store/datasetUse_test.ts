import { expect } from "expect";
import { DatasetError } from "../../../data/datasets/dataset.ts";
import { findDatasetUser } from "../../../jobs/store/creation/datasetUse.ts";
import { counting, readsOf } from "../../setup/countingKv.ts";
import { withOverrides } from "../../setup/overrides.ts";
import { claimed, request, withStore } from "../fixtures.ts";

Deno.test("findDatasetUser: it finds queued and running jobs, and no finished ones", () =>
  withStore(async ({ kv, queued, runner }) => {
    await queued();
    expect(await findDatasetUser(kv, "ds_1")).toBeNull();
    const queue = runner();
    await (await claimed(queue)).finish({ type: "released" });
    const id = await queued({ dataset: { id: "ds_1" } });
    expect((await findDatasetUser(kv, "ds_1"))!.id).toBe(id);
    await claimed(queue);
    const claim = await claimed(queue);
    expect(await findDatasetUser(kv, "ds_1")).toMatchObject({ id, status: "running" });
    expect(await findDatasetUser(kv, "ds_2")).toBeNull();
    await claim.finish({ type: "succeeded", result: {} });
    expect(await findDatasetUser(kv, "ds_1")).toBeNull();
  }));

Deno.test("findDatasetUser: before an upgrade, it finds a job that is claimed or released during the search", async (t) => {
  for (const before of ["queued", "running"] as const) {
    await t.step(`${before} at the start`, () =>
      withStore(async ({ kv, queued, runner }) => {
        const id = await queued({ dataset: "ds_1" });
        const queue = runner();
        const claim = before === "running" ? await claimed(queue) : null;
        let lists = 0;
        // Changes the status of the job after the first list of jobs.
        const changing = withOverrides(kv, {
          async *list(selector: Deno.KvListSelector, options?: Deno.KvListOptions) {
            yield* kv.list(selector, options);
            if (++lists > 1) return;
            await (claim ? claim.finish({ type: "released" }) : claimed(queue));
          },
        });
        expect(await findDatasetUser(changing, "ds_1")).toMatchObject({ id });
      }));
  }
});

Deno.test("datasets: if a new job and a deletion race, one succeeds and the other fails", async () => {
  for (let i = 0; i < 20; i++) {
    await withStore(async ({ store }) => {
      await store.upgrade();
      const create = () => store.create(request({ dataset: "ds_1" }));
      const remove = () => store.beginDatasetDeletion("ds_1");
      const [created, user] = i % 2 === 0
        ? await Promise.allSettled([create(), remove()])
        : (await Promise.allSettled([remove(), create()])).reverse();
      const isFree = user.status === "fulfilled" && user.value === null;
      if (created.status === "rejected") {
        expect(created.reason).toBeInstanceOf(DatasetError);
        expect(created.reason.field).toBe("dataset");
      }
      expect(created.status).toBe(isFree ? "rejected" : "fulfilled");
      expect((await store.counts()).queued).toBe(isFree ? 0 : 1);
    });
  }
});

Deno.test("datasets: jobs are accepted again if the data set is in use, or a minute after a failed deletion", () =>
  withStore(async ({ store, clock, queued }) => {
    const id = await queued({ dataset: "ds_1" });
    expect((await store.beginDatasetDeletion("ds_1"))!.id).toBe(id);
    await store.cancel(await queued({ dataset: "ds_1" }));
    await store.cancel(id);
    expect(await store.beginDatasetDeletion("ds_1")).toBeNull();
    await expect(queued({ dataset: "ds_1" })).rejects.toThrow("'ds_1' is being deleted");
    await queued({ dataset: "ds_2" });
    clock.advance(59_999);
    await expect(queued({ dataset: "ds_1" })).rejects.toBeInstanceOf(DatasetError);
    clock.advance(1);
    await queued({ dataset: "ds_1" });
  }));

Deno.test("findDatasetUser: it takes the same number of reads with 5 unfinished jobs of other data sets and with 300", () =>
  withStore(async ({ kv, store, queued }) => {
    await store.upgrade();
    const counted = counting(kv);
    for (let i = 0; i < 5; i++) await queued();
    const few = await readsOf(counted.reads, () => findDatasetUser(counted.kv, "ds_1"));
    for (let i = 0; i < 295; i++) await queued();
    const many = await readsOf(counted.reads, () => findDatasetUser(counted.kv, "ds_1"));
    expect(many).toEqual(few);
    const id = await queued({ dataset: "ds_1" });
    expect((await findDatasetUser(counted.kv, "ds_1"))!.id).toBe(id);
  }));

Deno.test("findDatasetUser: after an upgrade, it finds a job that is claimed or released during the search", async (t) => {
  for (const before of ["queued", "running"] as const) {
    await t.step(`${before} at the start`, () =>
      withStore(async ({ store, kv, queued, runner }) => {
        await store.upgrade();
        const id = await queued({ dataset: "ds_1" });
        const queue = runner();
        const claim = before === "running" ? await claimed(queue) : null;
        let reads = 0;
        // Changes the status of the job before its row is read.
        const changing = withOverrides(kv, {
          async get(key: Deno.KvKey) {
            if (key[0] === "job" && reads++ === 0) {
              await (claim ? claim.finish({ type: "released" }) : claimed(queue));
            }
            return await kv.get(key);
          },
        });
        expect(await findDatasetUser(changing, "ds_1")).toMatchObject({ id });
        expect(reads).toBe(1);
      }));
  }
});
