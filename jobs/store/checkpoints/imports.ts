/**
 * Imported checkpoints. While the object of an import is written, its garbage row has a time limit that the import
 * renews. The commit that creates the rows of the checkpoint removes the garbage row. When the process is killed, the
 * time passes and the sweep deletes the object.
 *
 * @module
 */
import type { ObjectStore } from "../../../data/objects/store.ts";
import { checkpointKeys } from "../../artifacts/objectKeys.ts";
import type { Checkpoint } from "../../job.ts";
import type { JobsDatabase } from "../change.ts";
import { sizeError } from "../kv/errors.ts";
import { withRetry } from "../kv/retry.ts";
import { type GarbageRow, keys } from "../rows/keys.ts";
import { collectGarbage, isImporting } from "./garbage.ts";

/**
 * Time for which an import may write without renewal, in milliseconds. It exceeds the difference between the clocks of
 * two machines.
 */
export const IMPORT_MS = 300_000;

/** The time of an import was over, and a sweep may have deleted its object. */
export class ImportExpiredError extends Error {
  override readonly name = "ImportExpiredError";
  constructor(readonly id: string) {
    super("The import was interrupted for too long: send the request again");
  }
}

/** An import: its id, and the function that writes its object. */
export interface CheckpointImport {
  readonly id: string;
  /** Writes the object under the key of `checkpointKeys`. @returns the row to record */
  write(): Promise<Omit<Checkpoint, "createdAt">>;
  /** Called before the checkpoint becomes visible. If it throws, nothing is recorded. */
  confirm?(): Promise<void>;
}

/**
 * Writes the object of an imported checkpoint, and then records the checkpoint in one commit. After an error, neither a
 * row nor an object remains, or the sweep removes the object later.
 *
 * @throws {ImportExpiredError}
 * @throws {RowTooLargeError}
 */
export async function importCheckpoint(
  database: JobsDatabase,
  objects: ObjectStore,
  { id, write, confirm }: CheckpointImport,
): Promise<Checkpoint> {
  const { objectKey } = checkpointKeys(id), key = keys.garbage(id, objectKey);
  await withRetry(() => database.kv.set(key, reservation(database)).then(() => true));
  // A failed renewal is not an error: the next one repeats it.
  const timer = setInterval(() => renew(database, key).catch(() => {}), IMPORT_MS / 15);
  try {
    const row = await write();
    await confirm?.();
    return await record(database, key, row);
  } catch (error) {
    // If the release fails, the sweep deletes the object when the time of the import is over.
    await release(database, objects, id, key).catch(() => {});
    throw error;
  } finally {
    clearInterval(timer);
  }
}

function reservation({ now }: JobsDatabase): GarbageRow {
  return { token: null, until: now() + IMPORT_MS };
}

async function renew(database: JobsDatabase, key: Deno.KvKey): Promise<void> {
  const entry = await database.kv.get<GarbageRow>(key);
  if (entry.value?.until === undefined) return;
  await database.kv.atomic().check(entry).set(key, reservation(database)).commit();
}

/** Creates the rows of the checkpoint, unless its object is garbage by now. */
function record(
  { kv, now }: JobsDatabase,
  key: Deno.KvKey,
  row: Omit<Checkpoint, "createdAt">,
): Promise<Checkpoint> {
  const { id } = row, checkpoint: Checkpoint = { ...row, createdAt: new Date(now()).toISOString() };
  return withRetry(async () => {
    const [garbage, earlier] = await kv.getMany<[GarbageRow, Checkpoint]>([key, keys.checkpoint(id)]);
    // The row exists if an earlier attempt was applied and its answer was lost.
    if (earlier.value !== null) return earlier.value;
    const until = garbage.value?.until;
    if (until === undefined || !isImporting(until, now())) throw new ImportExpiredError(id);
    const operation = kv.atomic().check(garbage, earlier)
      .delete(key).set(keys.checkpoint(id), checkpoint).set(keys.imported(id), id);
    const { ok } = await operation.commit().catch((error) => {
      throw sizeError(error);
    });
    return ok ? checkpoint : undefined;
  });
}

/** Deletes the object of an import that failed. The object of a recorded checkpoint has no garbage row and is kept. */
async function release(
  database: JobsDatabase,
  objects: ObjectStore,
  id: string,
  key: Deno.KvKey,
): Promise<void> {
  const { kv } = database;
  await withRetry(async () => {
    const entry = await kv.get<GarbageRow>(key);
    if (entry.value === null) return true;
    const garbage: GarbageRow = { token: null };
    return (await kv.atomic().check(entry).set(key, garbage).commit()).ok || undefined;
  });
  await collectGarbage(database, objects, id);
}
