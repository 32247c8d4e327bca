import { expect } from "expect";
import { CheckpointInUseError, CheckpointNotFoundError } from "../../../jobs/store/store.ts";
import { claimed, NO_OBJECTS, request, type StoreFixture, trainedJob, withStore } from "../fixtures.ts";

const finetune = (checkpoint: string) => ({ kind: "finetune", checkpoint });

Deno.test("source: a checkpoint cannot be deleted until the job that starts from it is finished or deleted", async (t) => {
  const endings: Record<string, (fixture: StoreFixture, id: string) => Promise<unknown>> = {
    succeeded: async ({ runner }) => {
      const queue = runner();
      await (await claimed(queue)).finish({ type: "succeeded", result: {} });
    },
    "cancelled in the queue": ({ store }, id) => store.cancel(id),
    "deleted from the queue": ({ store }, id) => store.delete(id, NO_OBJECTS),
    "cancelled after a lost runner": async ({ store, runner, clock }, id) => {
      await claimed(runner());
      await store.cancel(id);
      clock.advance(60_000);
      await runner().reap();
    },
  };
  for (const [ending, end] of Object.entries(endings)) {
    await t.step(ending, () =>
      withStore(async (fixture) => {
        const { store, queued } = fixture;
        const source = await trainedJob(fixture, 2);
        const user = await queued(finetune(source.checkpoints[0]));
        const error = await store.delete(source.id, NO_OBJECTS).catch((error) => error);
        expect(error).toBeInstanceOf(CheckpointInUseError);
        expect(error.message).toBe(
          `Cannot delete checkpoint '${
            source.checkpoints[0]
          }': job '${user}' starts from it and is not finished`,
        );
        expect(await store.getCheckpoint(source.checkpoints[0])).not.toBeNull();
        await end(fixture, user);
        await store.delete(source.id, NO_OBJECTS);
      }));
  }
});

Deno.test("source: a checkpoint cannot be deleted while its job is running or released", () =>
  withStore(async (fixture) => {
    const { store, queued, runner } = fixture;
    const source = await trainedJob(fixture);
    await queued(finetune(source.checkpoints[0]));
    const queue = runner();
    for (let run = 0; run < 2; run++) {
      const claim = await claimed(queue);
      await expect(store.delete(source.id, NO_OBJECTS)).rejects.toThrow(CheckpointInUseError);
      await claim.finish({ type: "released" });
      await expect(store.delete(source.id, NO_OBJECTS)).rejects.toThrow(CheckpointInUseError);
    }
  }));

Deno.test("source: a job cannot start from an unknown or deleted checkpoint", () =>
  withStore(async (fixture) => {
    const { store } = fixture;
    const { id, checkpoints } = await trainedJob(fixture);
    await store.delete(id, NO_OBJECTS);
    for (const missing of [checkpoints[0], "ckpt_none"]) {
      const error = await store.create(request(finetune(missing))).catch((error) => error);
      expect(error).toBeInstanceOf(CheckpointNotFoundError);
      expect(error.message).toBe(`There is no checkpoint '${missing}'`);
    }
    expect((await store.list()).data).toEqual([]);
  }));

Deno.test("source: if a new job and the deletion of its checkpoint race, one succeeds and the other fails", async () => {
  for (let i = 0; i < 20; i++) {
    await withStore(async (fixture) => {
      const { store } = fixture;
      const { id, checkpoints } = await trainedJob(fixture);
      const [started, deleted] = await Promise.allSettled([
        store.create(request(finetune(checkpoints[0]))),
        store.delete(id, NO_OBJECTS),
      ]);
      expect([started.status, deleted.status].sort()).toEqual(["fulfilled", "rejected"]);
      if (started.status === "rejected") expect(started.reason).toBeInstanceOf(CheckpointNotFoundError);
      if (deleted.status === "rejected") expect(deleted.reason).toBeInstanceOf(CheckpointInUseError);
      expect(await store.getCheckpoint(checkpoints[0]) === null).toBe(deleted.status === "fulfilled");
    });
  }
});
