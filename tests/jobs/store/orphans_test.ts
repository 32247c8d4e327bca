import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { sweepOrphans } from "../../../jobs/store/deletion/orphans.ts";
import { checkpointOf, withStore } from "../fixtures.ts";

Deno.test("orphans: objects of unrecorded checkpoints are deleted after a day, and all others are kept", () =>
  withStore(async ({ running, store }) => {
    const folder = await Deno.makeTempDir();
    const objects = openStore({ url: `file:${folder}` });
    const { id, claim } = await running();
    const recorded = checkpointOf(id), unrecorded = checkpointOf(id);
    await claim.record({ checkpoint: recorded });
    for (const { objectKey, stateKey } of [recorded, unrecorded]) {
      await objects.put(objectKey, new Uint8Array(3));
      await objects.put(stateKey!, new Uint8Array(3));
    }
    await objects.put("checkpoints/notes.txt", new Uint8Array(3));
    expect(await sweepOrphans(store, objects)).toEqual([]);
    const tomorrow = Date.now() + 25 * 3_600_000;
    const orphans = [unrecorded.objectKey, unrecorded.stateKey].sort();
    expect((await sweepOrphans(store, objects, tomorrow)).sort()).toEqual(orphans);
    expect(await sweepOrphans(store, objects, tomorrow)).toEqual([]);
    expect(await objects.head(recorded.objectKey)).not.toBeNull();
    await Deno.remove(folder, { recursive: true });
  }));
