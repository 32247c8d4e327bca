import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { type ObjectStore, StorageUnavailableError } from "../../../data/objects/store.ts";
import { checkpointKeys } from "../../../jobs/artifacts/objectKeys.ts";
import { newCheckpointId } from "../../../jobs/artifacts/writeCheckpoint.ts";
import type { Checkpoint } from "../../../jobs/job.ts";
import { IMPORT_MS } from "../../../jobs/store/checkpoints/imports.ts";
import { sweepJobs } from "../../../jobs/store/deletion/sweep.ts";
import {
  CheckpointInUseError,
  CheckpointNotFoundError,
  CheckpointOfJobError,
  ImportExpiredError,
  JobStore,
} from "../../../jobs/store/store.ts";
import { failingDeletes } from "../../setup/failingDeletes.ts";
import {
  allKeys,
  checkpointOf,
  killedAfter,
  request,
  type StoreFixture,
  trainedJob,
  withStore,
} from "../fixtures.ts";

/** Runs a test with a store and object storage in a temporary folder. */
const withObjects = (test: (fixture: StoreFixture, objects: ObjectStore) => Promise<void>) =>
  withStore(async (fixture) => {
    const folder = await Deno.makeTempDir();
    await test(fixture, openStore({ url: `file:${folder}` }));
    await Deno.remove(folder, { recursive: true });
  });

/** Returns the row of an imported checkpoint. */
function importedRow(id: string): Omit<Checkpoint, "createdAt"> {
  const origin = { format: "unmask", filename: "model.safetensors", url: null, missing: [], notes: [] };
  return { ...checkpointOf("", { id }), jobId: null, stateKey: null, name: "mine", origin };
}

/** An import that writes three bytes. @param then runs after the object is written */
function source(objects: ObjectStore, id: string, then: () => void | Promise<void> = () => {}) {
  return {
    id,
    async write() {
      await objects.put(checkpointKeys(id).objectKey, new Uint8Array(3));
      await then();
      return importedRow(id);
    },
  };
}

async function remaining(kv: Deno.Kv, objects: ObjectStore): Promise<string[]> {
  const keys = await Array.fromAsync(objects.list(""), ({ key }) => key);
  return [...(await allKeys(kv)).map((key) => key.join("/")), ...keys];
}

Deno.test("an imported checkpoint has its rows in one commit, is listed, and is deleted with its object", () =>
  withObjects(async ({ store, kv, clock }, objects) => {
    const id = newCheckpointId();
    const checkpoint = await store.importCheckpoint(objects, source(objects, id));
    expect(checkpoint).toEqual({ ...importedRow(id), createdAt: clock.text });
    expect(await store.getCheckpoint(id)).toEqual(checkpoint);
    expect((await remaining(kv, objects)).sort()).toEqual(
      [`checkpoint/${id}`, `imported/${id}`, `checkpoints/${id}.safetensors`].sort(),
    );
    expect((await store.listAllCheckpoints({ imported: true })).data).toEqual([checkpoint]);
    await store.deleteCheckpoint(id, objects);
    expect(await store.getCheckpoint(id)).toBeNull();
    expect(await remaining(kv, objects)).toEqual([]);
    await expect(store.deleteCheckpoint(id, objects)).rejects.toThrow(CheckpointNotFoundError);
  }));

Deno.test("an import that fails leaves no row and no object", async (t) => {
  await t.step("while it writes", () =>
    withObjects(async ({ store, kv }, objects) => {
      const broken = source(objects, newCheckpointId(), () => {
        throw new StorageUnavailableError("unavailable");
      });
      await expect(store.importCheckpoint(objects, broken)).rejects.toThrow("unavailable");
      expect(await remaining(kv, objects)).toEqual([]);
    }));
  await t.step("when it is not confirmed", () =>
    withObjects(async ({ store, kv }, objects) => {
      const confirm = () => Promise.reject(new Error("another request"));
      const unconfirmed = { ...source(objects, newCheckpointId()), confirm };
      await expect(store.importCheckpoint(objects, unconfirmed)).rejects.toThrow("another request");
      expect(await remaining(kv, objects)).toEqual([]);
    }));
});

Deno.test("the sweep keeps the object of an import in progress, and deletes it after the process was killed", () =>
  withObjects(async ({ store, kv, clock }, objects) => {
    const id = newCheckpointId();
    // The commits of the killed process fail, also those of its clean-up.
    const killed = new JobStore(killedAfter(kv, 0), { now: clock.now });
    const interrupted = source(objects, id, async () => {
      clock.advance(IMPORT_MS - 1);
      expect(await sweepJobs(store, objects)).toBe(0);
      expect((await remaining(kv, objects)).length).toBe(2);
    });
    await expect(killed.importCheckpoint(objects, interrupted)).rejects.toThrow("the process was killed");
    expect(await store.getCheckpoint(id)).toBeNull();
    expect(await sweepJobs(store, objects)).toBe(0);
    clock.advance(1);
    expect(await sweepJobs(store, objects)).toBe(1);
    expect(await remaining(kv, objects)).toEqual([]);
  }));

Deno.test("an import whose time was over records nothing, and the object is deleted", () =>
  withObjects(async ({ store, kv, clock }, objects) => {
    const late = source(objects, newCheckpointId(), async () => {
      clock.advance(IMPORT_MS);
      expect(await sweepJobs(store, objects)).toBe(1);
    });
    await expect(store.importCheckpoint(objects, late)).rejects.toThrow(ImportExpiredError);
    expect(await remaining(kv, objects)).toEqual([]);
  }));

Deno.test("an interrupted deletion is finished by deleting the checkpoint again, or by the sweep", async (t) => {
  for (const finish of ["again", "sweep"] as const) {
    await t.step(finish, () =>
      withObjects(async ({ store, kv }, objects) => {
        const id = newCheckpointId();
        await store.importCheckpoint(objects, source(objects, id));
        const failing = failingDeletes(objects, 0, new StorageUnavailableError("unavailable"));
        await expect(store.deleteCheckpoint(id, failing)).rejects.toThrow("unavailable");
        expect(await store.getCheckpoint(id)).toBeNull();
        await (finish === "again" ? store.deleteCheckpoint(id, objects) : sweepJobs(store, objects));
        expect(await remaining(kv, objects)).toEqual([]);
      }));
  }
});

Deno.test("an imported checkpoint cannot be deleted while an unfinished job starts from it", () =>
  withObjects(async ({ store, kv, runner }, objects) => {
    const id = newCheckpointId();
    await store.importCheckpoint(objects, source(objects, id));
    const { job } = await store.create(request({ kind: "finetune", checkpoint: id }));
    const error = await store.deleteCheckpoint(id, objects).catch((error) => error);
    expect(error).toBeInstanceOf(CheckpointInUseError);
    expect(error.message).toContain(job.id);
    await store.cancel(job.id);
    await store.deleteCheckpoint(id, objects);
    await store.delete(job.id, objects);
    expect(await remaining(kv, objects)).toEqual([]);
    await expect(store.create(request({ kind: "finetune", checkpoint: id }))).rejects.toThrow(
      CheckpointNotFoundError,
    );
    expect(await runner().claim()).toBeNull();
  }));

Deno.test("a deletion and the creation of a job from the checkpoint exclude each other", () =>
  withObjects(async ({ store }, objects) => {
    for (let round = 0; round < 10; round++) {
      const id = newCheckpointId();
      await store.importCheckpoint(objects, source(objects, id));
      const [deleted, created] = await Promise.allSettled([
        store.deleteCheckpoint(id, objects),
        store.create(request({ kind: "finetune", checkpoint: id })),
      ]);
      expect([deleted.status, created.status].sort()).toEqual(["fulfilled", "rejected"]);
    }
  }));

Deno.test("a checkpoint of a job is deleted with its job only", () =>
  withObjects(async (fixture, objects) => {
    const { id, checkpoints } = await trainedJob(fixture);
    const error = await fixture.store.deleteCheckpoint(checkpoints[0], objects).catch((error) => error);
    expect(error).toBeInstanceOf(CheckpointOfJobError);
    expect(error.message).toContain(`belongs to job '${id}'`);
    expect(await fixture.store.getCheckpoint(checkpoints[0])).not.toBeNull();
  }));

Deno.test("all checkpoints and imported ones are listed in pages, newest first", () =>
  withObjects(async (fixture, objects) => {
    const { store } = fixture;
    const { checkpoints } = await trainedJob(fixture, 2);
    const imported: string[] = [];
    for (let i = 0; i < 3; i++) {
      const id = `ckpt_1${String(i).padStart(25, "0")}`;
      await store.importCheckpoint(objects, source(objects, id));
      imported.push(id);
    }
    const ids = async (query: Parameters<JobStore["listAllCheckpoints"]>[0]) =>
      (await store.listAllCheckpoints(query)).data.map(({ id }) => id);
    expect(await ids({})).toEqual([...imported.toReversed(), ...checkpoints.toReversed()]);
    expect(await ids({ imported: true })).toEqual(imported.toReversed());
    expect(await ids({ imported: true, limit: 2 })).toEqual([imported[2], imported[1]]);
    expect(await ids({ imported: true, after: imported[1] })).toEqual([imported[0]]);
    expect(await ids({ after: imported[0], limit: 1 })).toEqual([checkpoints[1]]);
  }));
