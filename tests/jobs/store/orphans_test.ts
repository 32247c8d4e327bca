import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { sweepOrphans } from "../../../jobs/store/deletion/orphans.ts";
import { checkpointOf, withStore } from "../fixtures.ts";

Deno.test("files of checkpoints that were never recorded go after a day, all others stay", () =>
  withStore(async ({ running, store }) => {
    const folder = await Deno.makeTempDir();
    const objects = openStore({ url: `file:${folder}` });
    const { id, claim } = await running();
    const known = checkpointOf(id), unknown = checkpointOf(id);
    await claim.record({ checkpoint: known });
    for (const { objectKey, stateKey } of [known, unknown]) {
      await objects.put(objectKey, new Uint8Array(3));
      await objects.put(stateKey!, new Uint8Array(3));
    }
    await objects.put("checkpoints/notes.txt", new Uint8Array(3));
    expect(await sweepOrphans(store, objects)).toEqual([]);
    const tomorrow = Date.now() + 25 * 3_600_000;
    const gone = [unknown.objectKey, unknown.stateKey].sort();
    expect((await sweepOrphans(store, objects, tomorrow)).sort()).toEqual(gone);
    expect(await sweepOrphans(store, objects, tomorrow)).toEqual([]);
    expect(await objects.head(known.objectKey)).not.toBeNull();
    await Deno.remove(folder, { recursive: true });
  }));
