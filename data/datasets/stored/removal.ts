/**
 * Removal of a data set. A marker object exists until all other objects are removed, so that an interrupted removal can
 * be found and completed.
 *
 * @module
 */
import type { ObjectStore } from "../../objects/store.ts";
import { datasetKey } from "./manifest.ts";

/** Name of the marker object. */
export const REMOVAL_MARKER = "removed";

/** Removes a data set. A repeated call completes an interrupted removal. */
export async function removeDataset(store: ObjectStore, id: string): Promise<void> {
  const marker = datasetKey(id, REMOVAL_MARKER);
  // On a full disk the marker cannot be written, but the removal is still possible.
  await store.put(marker, new Uint8Array()).catch(() => {});
  await removeObjects(store, id);
}

/** Whether a removal of the data set has begun and is not complete. */
export async function isBeingRemoved(store: ObjectStore, id: string): Promise<boolean> {
  return await store.head(datasetKey(id, REMOVAL_MARKER)) !== null;
}

/** Removes every object of a data set. The manifest is removed first, the marker last. */
export async function removeObjects(store: ObjectStore, id: string): Promise<void> {
  const marker = datasetKey(id, REMOVAL_MARKER);
  await store.delete(datasetKey(id, "meta.json"));
  for await (const { key } of store.list(datasetKey(id, ""))) if (key !== marker) await store.delete(key);
  await store.delete(marker);
}
