/**
 * Files of checkpoints that nobody knows of: a runner was killed between writing them and recording them.
 *
 * @module
 */
import type { ObjectStore } from "../data/objects/store.ts";
import type { JobStore } from "./store.ts";

/** Age after which an unknown file is no longer one about to be recorded, in milliseconds. */
const ABANDONED_MS = 24 * 3_600_000;

/**
 * Removes the checkpoint files that have no row.
 *
 * @param now milliseconds since 1970
 * @returns keys of the objects removed
 */
export async function sweepCheckpoints(
  jobs: JobStore,
  store: ObjectStore,
  now = Date.now(),
): Promise<string[]> {
  const removed: string[] = [];
  for await (const { key, modifiedAt } of store.list("checkpoints/")) {
    const id = /^checkpoints\/(ckpt_[0-9A-Z]+)(\.state)?\.safetensors$/.exec(key)?.[1];
    if (id === undefined || now - modifiedAt.getTime() < ABANDONED_MS) continue;
    if (await jobs.getCheckpoint(id) !== null) continue;
    await store.delete(key);
    removed.push(key);
  }
  return removed;
}
