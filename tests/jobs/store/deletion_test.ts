import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { type ObjectStore, StorageUnavailableError } from "../../../data/objects/store.ts";
import { resultKey } from "../../../jobs/artifacts/objectKeys.ts";
import { sweepJobs } from "../../../jobs/store/deletion/sweep.ts";
import {
  CheckpointNotFoundError,
  JobNotFoundError,
  JobStore,
  JobUnfinishedError,
} from "../../../jobs/store/store.ts";
import { failingDeletes } from "../../setup/failingDeletes.ts";
import {
  allKeys,
  checkpointOf,
  killedAfter,
  NO_OBJECTS,
  request,
  type StoreFixture,
  trainedJob,
  withStore,
} from "../fixtures.ts";

/** Returns object storage that is unavailable after some deletions. */
const failsAfter = (objects: ObjectStore, deletions: number) =>
  failingDeletes(objects, deletions, new StorageUnavailableError("Object storage is unavailable"));

/** Creates a finished job with eight objects: three checkpoints with their states, and two results. */
async function finished({ running }: StoreFixture, objects: ObjectStore): Promise<string> {
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

async function remaining(kv: Deno.Kv, objects: ObjectStore): Promise<string[]> {
  const rows = await Array.fromAsync(kv.list({ prefix: [] }), ({ key }) => key.join("/"));
  const keys = await Array.fromAsync(objects.list(""), ({ key }) => key);
  return [...rows.filter((row) => !row.startsWith("job_count") && row !== "index_version"), ...keys];
}

for (
  const [how, finish] of [
    [
      "by deleting the job again",
      ({ store }: StoreFixture, id: string, objects: ObjectStore) => store.delete(id, objects),
    ],
    ["by the sweep", async ({ store, clock }: StoreFixture, _id: string, objects: ObjectStore) => {
      clock.advance(60_000);
      await sweepJobs(store, objects);
    }],
  ] as const
) {
  Deno.test(`an interrupted deletion of a job is finished ${how}, with all rows and objects`, async (t) => {
    for (let deletions = 0; deletions < 8; deletions++) {
      await t.step(`interrupted after ${deletions} objects`, () =>
        withStore(async (fixture) => {
          const { store, kv } = fixture;
          const folder = await Deno.makeTempDir();
          const objects = openStore({ url: `file:${folder}` });
          const id = await finished(fixture, objects);
          expect((await remaining(kv, objects)).length).toBeGreaterThan(8);
          await expect(store.delete(id, failsAfter(objects, deletions))).rejects.toThrow(
            StorageUnavailableError,
          );
          expect(await store.get(id)).toBeNull();
          expect((await store.listCheckpoints(id)).data).toEqual([]);
          await finish(fixture, id, objects);
          expect(await remaining(kv, objects)).toEqual([]);
          await Deno.remove(folder, { recursive: true });
        }));
    }
  });
}

const finetune = (checkpoint: string) => ({ kind: "finetune", checkpoint });

Deno.test("delete: all rows of a finished job are removed", () =>
  withStore(async (fixture) => {
    const { store, kv } = fixture;
    const { id, checkpoints } = await trainedJob(fixture, 3);
    const stateless = await fixture.running();
    const withoutState = checkpointOf(stateless.id, { stateKey: null });
    await stateless.claim.record({ checkpoint: withoutState });
    await stateless.claim.finish({ type: "cancelled" });

    await store.delete(id, NO_OBJECTS);
    expect(await store.get(id)).toBeNull();
    expect(await store.events(id)).toEqual([]);
    expect(await store.metrics(id)).toEqual({ steps: [], epochs: [], next: null });
    expect((await store.listCheckpoints(id)).data).toEqual([]);
    for (const checkpoint of checkpoints) expect(await store.getCheckpoint(checkpoint)).toBeNull();
    expect((await store.list()).data.map((job) => job.id)).toEqual([stateless.id]);
    await store.delete(stateless.id, NO_OBJECTS);
    expect(await allKeys(kv)).toEqual([]);
  }));

Deno.test("delete: a queued job can be deleted, and a running job must be cancelled first", () =>
  withStore(async ({ store, kv, queued, running }) => {
    const { id, queue, claim } = await running();
    const queuedId = await queued();
    await store.delete(queuedId, NO_OBJECTS);
    expect(await queue.claim()).toBeNull();

    const error = await store.delete(id, NO_OBJECTS).catch((error) => error);
    expect(error).toBeInstanceOf(JobUnfinishedError);
    expect(error.message).toBe("Cannot delete a job that is running: cancel it first");
    expect((await store.get(id))!.status).toBe("running");
    await store.cancel(id);
    await claim.finish({ type: "cancelled" });
    await store.delete(id, NO_OBJECTS);
    expect(await allKeys(kv)).toEqual([]);
  }));

Deno.test("delete: an unknown or deleted job is an error", () =>
  withStore(async ({ store, queued }) => {
    const id = await queued();
    await store.delete(id, NO_OBJECTS);
    for (const missing of [id, "job_none"]) {
      await expect(store.delete(missing, NO_OBJECTS)).rejects.toThrow(JobNotFoundError);
    }
  }));

Deno.test("delete: a job whose deletion was interrupted is not listed, and the next deletion finishes it", () =>
  withStore(async (fixture) => {
    const { kv, store } = fixture;
    const { id, checkpoints } = await trainedJob(fixture, 2);
    await expect(new JobStore(killedAfter(kv, 1)).delete(id, NO_OBJECTS)).rejects.toThrow(
      "the process was killed",
    );
    expect(await store.get(id)).toBeNull();
    expect((await store.list()).data).toEqual([]);
    await expect(store.create(request(finetune(checkpoints[0])))).rejects.toThrow(CheckpointNotFoundError);
    await store.delete(id, NO_OBJECTS);
    expect(await allKeys(kv)).toEqual([]);
  }));

Deno.test("delete: a job with more events and checkpoints than fit in a commit is deleted completely", () =>
  withStore(async ({ store, kv, running }) => {
    const { id, claim } = await running({ keep: { last: 1000 } });
    const info = "info" as const;
    for (let part = 0; part < 6; part++) {
      await claim.record({
        logs: Array.from({ length: 200 }, (_, i) => ({ level: info, message: `${i}` })),
      });
    }
    for (let i = 0; i < 520; i++) await claim.record({ checkpoint: checkpointOf(id) });
    await claim.finish({ type: "succeeded", result: {} });
    await store.delete(id, NO_OBJECTS);
    expect(await allKeys(kv)).toEqual([]);
  }));
