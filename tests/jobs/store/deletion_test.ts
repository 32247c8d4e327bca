import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { type ObjectStore, StorageUnavailableError } from "../../../data/objects/store.ts";
import { resultKey } from "../../../jobs/artifacts/objectKeys.ts";
import { sweepJobs } from "../../../jobs/store/deletion/sweep.ts";
import { failingDeletes } from "../../setup/failingDeletes.ts";
import { checkpointOf, type Setting, withStore } from "../fixtures.ts";

/** Object storage that is unavailable from the n-th deletion on. */
const failingAfter = (objects: ObjectStore, deletions: number) =>
  failingDeletes(objects, deletions, new StorageUnavailableError("Object storage is away"));

/** A finished job with three checkpoints and two results in object storage: eight objects. */
async function finished({ running }: Setting, objects: ObjectStore): Promise<string> {
  const { id, claim } = await running();
  for (let step = 1; step <= 3; step++) {
    const checkpoint = checkpointOf(id, { step });
    for (const key of [checkpoint.objectKey, checkpoint.stateKey!]) await objects.put(key, new Uint8Array(3));
    await claim.record({ checkpoint });
  }
  for (const name of ["confusion.json", "other.json"]) {
    await objects.put(resultKey(id, name), new Uint8Array(3));
  }
  await claim.finish({ type: "succeeded", result: {} });
  return id;
}

async function left(kv: Deno.Kv, objects: ObjectStore): Promise<string[]> {
  const rows = await Array.fromAsync(kv.list({ prefix: [] }), ({ key }) => key.join("/"));
  const keys = await Array.fromAsync(objects.list(""), ({ key }) => key);
  return [...rows.filter((row) => !row.startsWith("job_count") && row !== "index_version"), ...keys];
}

for (
  const [how, finish] of [
    [
      "by deleting the job again",
      ({ store }: Setting, id: string, objects: ObjectStore) => store.delete(id, objects),
    ],
    ["by the sweep", async ({ store, clock }: Setting, _id: string, objects: ObjectStore) => {
      clock.advance(60_000);
      await sweepJobs(store, objects);
    }],
  ] as const
) {
  Deno.test(`an interrupted deletion of a job is finished ${how}, and nothing is left`, async (t) => {
    for (let deletions = 0; deletions < 8; deletions++) {
      await t.step(`after ${deletions} objects`, () =>
        withStore(async (setting) => {
          const { store, kv } = setting;
          const folder = await Deno.makeTempDir();
          const objects = openStore({ url: `file:${folder}` });
          const id = await finished(setting, objects);
          expect((await left(kv, objects)).length).toBeGreaterThan(8);
          await expect(store.delete(id, failingAfter(objects, deletions))).rejects.toThrow(
            StorageUnavailableError,
          );
          expect(await store.get(id)).toBeNull();
          expect((await store.listCheckpoints(id)).data).toEqual([]);
          await finish(setting, id, objects);
          expect(await left(kv, objects)).toEqual([]);
          await Deno.remove(folder, { recursive: true });
        }));
    }
  });
}
