/**
 * Deletes orphans: objects that no row of the database refers to. Objects of killed processes have garbage rows (see
 * `garbage.ts`). Orphans are left over from earlier versions, or from a database that was replaced by a backup.
 *
 * @module
 */
import type { ObjectStore } from "../../../data/objects/store.ts";
import { checkpointOfKey, jobOfResultKey } from "../../artifacts/objectKeys.ts";
import type { Checkpoint } from "../../job.ts";
import type { JobsDatabase } from "../change.ts";
import { type JobRow, keys } from "../rows/keys.ts";
import { readAll } from "../rows/read.ts";

/** Minimum age of an orphan, in milliseconds. A younger object may belong to a checkpoint that is not recorded yet. */
const MIN_AGE_MS = 24 * 3_600_000;
/** Number of objects whose rows are read together. */
const BATCH = 160;

/**
 * Deletes the orphans among the objects of checkpoints and results.
 *
 * @param now milliseconds since 1970
 * @returns keys of the deleted objects
 */
export async function sweepOrphans(
  jobs: Pick<JobsDatabase, "kv">,
  store: ObjectStore,
  now: number = Date.now(),
): Promise<string[]> {
  return [
    ...await sweepPrefix<Checkpoint>(jobs, store, "checkpoints/", checkpointOfKey, keys.checkpoint, now),
    ...await sweepPrefix<JobRow>(jobs, store, "results/", jobOfResultKey, keys.job, now),
  ];
}

async function sweepPrefix<T>(
  { kv }: Pick<JobsDatabase, "kv">,
  store: ObjectStore,
  prefix: string,
  idOf: (key: string) => string | null,
  keyOf: (id: string) => Deno.KvKey,
  now: number,
): Promise<string[]> {
  const deleted: string[] = [];
  let batch: { key: string; id: string }[] = [];
  const flush = async () => {
    const rows = await readAll<T>(kv, batch.map(({ id }) => keyOf(id)));
    for (const [i, { key }] of batch.entries()) {
      if (rows[i] !== null) continue;
      await store.delete(key);
      deleted.push(key);
    }
    batch = [];
  };
  for await (const { key, modifiedAt } of store.list(prefix)) {
    const id = idOf(key);
    if (id === null || now - modifiedAt.getTime() < MIN_AGE_MS) continue;
    batch.push({ key, id });
    if (batch.length === BATCH) await flush();
  }
  await flush();
  return deleted;
}
