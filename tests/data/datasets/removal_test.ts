import { expect } from "expect";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { DatasetNotFoundError } from "../../../data/datasets/dataset.ts";
import { datasetKey } from "../../../data/datasets/stored/manifest.ts";
import { openStore } from "../../../data/objects/open.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import { failingDeletes } from "../../setup/failingDeletes.ts";

const ID = `ds_${"0".repeat(26)}`;
const NAMES = ["meta.json", "train-images", "train-labels", "test-images"];

/** Creates a store that fails from the n-th deletion on, as after a kill of its process. */
const killedAfter = (objects: ObjectStore, deletions: number) =>
  failingDeletes(objects, deletions, new Error("The process was killed"));

const keysOf = (objects: ObjectStore) => Array.fromAsync(objects.list(""), ({ key }) => key);

for (
  const [how, finish] of [
    ["by deleting the data set again", (catalogue: DatasetCatalogue) => catalogue.delete(ID)],
    ["by the sweep", async (catalogue: DatasetCatalogue) => {
      expect(await catalogue.sweep()).toEqual([]); // the client may be about to repeat it
      expect(await catalogue.sweep(Date.now() + 61_000)).toEqual([ID]);
    }],
  ] as const
) {
  Deno.test(`an interrupted deletion of a data set is completed ${how}`, async (t) => {
    for (let deletions = 0; deletions <= NAMES.length; deletions++) {
      await t.step(`after ${deletions} objects`, async () => {
        const folder = await Deno.makeTempDir();
        const objects = openStore({ url: `file:${folder}` }), catalogue = new DatasetCatalogue(objects);
        for (const name of NAMES) await objects.put(datasetKey(ID, name), new Uint8Array(3));
        await expect(new DatasetCatalogue(killedAfter(objects, deletions)).delete(ID)).rejects.toThrow(
          "killed",
        );
        expect((await keysOf(objects)).length).toBeGreaterThan(0);
        await finish(catalogue);
        expect(await keysOf(objects)).toEqual([]);
        await expect(catalogue.delete(ID)).rejects.toThrow(DatasetNotFoundError);
        await Deno.remove(folder, { recursive: true });
      });
    }
  });
}
