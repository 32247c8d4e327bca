/**
 * Removal of a data set. An object marks the removal until nothing is left, so that an interrupted removal can be found
 * and finished.
 *
 * @module
 */
import type { ObjectStore } from "../../objects/store.ts";
import { datasetKey } from "./manifest.ts";

/** Name of the object that marks a removal which has begun. */
export const REMOVAL_MARK = "removed";

/** Removes a data set. The next call finishes an interrupted removal. */
export async function removeDataset(store: ObjectStore, id: string): Promise<void> {
  const mark = datasetKey(id, REMOVAL_MARK);
  // On a full disk the mark cannot be written, but the removal is still possible.
  await store.put(mark, new Uint8Array()).catch(() => {});
  await removeObjects(store, id);
}

/** Whether a removal of the data set has begun and is not finished. */
export async function isBeingRemoved(store: ObjectStore, id: string): Promise<boolean> {
  return await store.head(datasetKey(id, REMOVAL_MARK)) !== null;
}

/** Removes every object of a data set. The description is removed first, the mark of the removal last. */
export async function removeObjects(store: ObjectStore, id: string): Promise<void> {
  const mark = datasetKey(id, REMOVAL_MARK);
  await store.delete(datasetKey(id, "meta.json"));
  for await (const { key } of store.list(datasetKey(id, ""))) if (key !== mark) await store.delete(key);
  await store.delete(mark);
}
