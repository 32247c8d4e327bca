import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { collectGarbage } from "../../../jobs/store/checkpoints/garbage.ts";
import { checkpointOf, request, withStore } from "../fixtures.ts";

/** Returns the keys of the checkpoint objects. */
async function stored(objects: ReturnType<typeof openStore>): Promise<string[]> {
  return (await Array.fromAsync(objects.list("checkpoints/"), ({ key }) => key)).sort();
}

Deno.test("a job keeps its newest checkpoints and those that another unfinished job starts from", () =>
  withStore(async ({ store, running }) => {
    const folder = await Deno.makeTempDir();
    const objects = openStore({ url: `file:${folder}` });
    const { id, claim } = await running({ keep: { last: 3 } });
    const ids: string[] = [];
    for (let step = 1; step <= 8; step++) {
      const checkpoint = checkpointOf(id, { step });
      await claim.declareObjects([checkpoint.objectKey, checkpoint.stateKey!]);
      for (const key of [checkpoint.objectKey, checkpoint.stateKey!]) {
        await objects.put(key, new Uint8Array(3));
      }
      await claim.record({ checkpoint });
      ids.push(checkpoint.id);
      if (step === 2) {
        await store.create(request({ kind: "evaluate", checkpoint: checkpoint.id }));
      }
    }
    const kept = [ids[7], ids[6], ids[5], ids[1]];
    expect((await store.listCheckpoints(id)).data.map((row) => row.id)).toEqual(kept);
    expect(await store.getCheckpoint(ids[0])).toBeNull();
    // The objects of the removed checkpoints still exist and have garbage rows, as after a kill of the runner.
    expect((await stored(objects)).length).toBe(16);
    expect((await collectGarbage(store, objects)).length).toBe(8);
    const keptKeys = kept.flatMap((id) => [
      `checkpoints/${id}.safetensors`,
      `checkpoints/${id}.state.safetensors`,
    ]);
    expect(await stored(objects)).toEqual(keptKeys.sort());
    expect(await collectGarbage(store, objects)).toEqual([]);
    await Deno.remove(folder, { recursive: true });
  }));

Deno.test("objects of an unfinished checkpoint are kept while the lease is valid, and deleted after it is lost", () =>
  withStore(async ({ store, running, clock }) => {
    const folder = await Deno.makeTempDir();
    const objects = openStore({ url: `file:${folder}` });
    const { id, queue, claim } = await running();
    const { objectKey, stateKey } = checkpointOf(id);
    await claim.declareObjects([objectKey, stateKey!]);
    await objects.put(stateKey!, new Uint8Array(3));
    expect(await collectGarbage(store, objects)).toEqual([]);
    expect(await stored(objects)).toEqual([stateKey]);
    clock.advance(60_000);
    await queue.reap();
    expect((await collectGarbage(store, objects)).sort()).toEqual([objectKey, stateKey].sort());
    expect(await stored(objects)).toEqual([]);
    expect((await store.get(id))!.status).toBe("queued");
    await Deno.remove(folder, { recursive: true });
  }));

Deno.test("a job of an earlier version keeps all checkpoints, because its request has no number of them", () =>
  withStore(async ({ store, runner }) => {
    const { keep: _, ...old } = request() as unknown as Record<string, unknown>;
    const { job: { id } } = await store.create(old as unknown as ReturnType<typeof request>);
    const queue = runner(), claim = (await queue.claim())!;
    for (let step = 1; step <= 30; step++) {
      await claim.record({ checkpoint: checkpointOf(id, { step }) });
    }
    expect((await store.listCheckpoints(id)).data.length).toBe(30);
  }));
