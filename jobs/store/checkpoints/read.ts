/**
 * Reads the rows of checkpoints.
 *
 * @module
 */
import { completeConfig } from "../../../model/config.ts";
import type { Checkpoint, Job } from "../../job.ts";
import { withRetry } from "../kv/retry.ts";
import { shareRead } from "../kv/sharedReads.ts";
import { keys } from "../rows/keys.ts";
import { newestFirst, type Page, PAGE_LIMIT, readAll } from "../rows/read.ts";

/** Adds the fields that the configuration of an earlier version's row lacks, with their defaults. */
function completed(row: Checkpoint): Checkpoint {
  return { ...row, config: completeConfig(row.config) };
}

/** Returns a checkpoint; null when there is none with that id. Calls at the same time share a read. */
export function getCheckpoint(kv: Deno.Kv, id: string): Promise<Checkpoint | null> {
  return shareRead(kv, `checkpoint ${id}`, async () => {
    const { value } = await withRetry(() => kv.get<Checkpoint>(keys.checkpoint(id)));
    return value && completed(value);
  });
}

/** Returns a page of a job's checkpoints, newest first. */
export function listCheckpoints(
  kv: Deno.Kv,
  jobId: string,
  { limit = 100, after }: { readonly limit?: number; readonly after?: string } = {},
): Promise<Page<Checkpoint>> {
  return newestFirst(
    kv,
    ["job_checkpoint", jobId],
    { limit, after },
    async (ids: readonly string[]) =>
      (await readAll<Checkpoint>(kv, ids.map(keys.checkpoint))).map((row) => row && completed(row)),
  );
}

/** Page and filter of a list of all checkpoints. */
export interface CheckpointQuery {
  /** Maximum number of checkpoints, 1 to 1000. @default 20 */
  readonly limit?: number;
  /** Cursor: only checkpoints older than the one with this id. */
  readonly after?: string;
  /** Only checkpoints that were imported. */
  readonly imported?: boolean;
}

/** Returns a page of all checkpoints or of the imported ones, newest first. @throws {RangeError} for an invalid limit */
export function listAllCheckpoints(
  kv: Deno.Kv,
  { limit = 20, after, imported = false }: CheckpointQuery = {},
): Promise<Page<Checkpoint>> {
  if (!imported) {
    const complete = (rows: readonly Checkpoint[]) => rows.map(completed);
    return newestFirst(kv, ["checkpoint"], { limit, after }, complete);
  }
  return newestFirst(
    kv,
    ["imported"],
    { limit, after },
    async (ids: readonly string[]) =>
      (await readAll<Checkpoint>(kv, ids.map(keys.checkpoint))).map((row) => row && completed(row)),
  );
}

/** Returns the checkpoints that a job can resume from: its latest one, then older ones, newest first. */
export async function resumePoints(
  kv: Deno.Kv,
  { id, latestCheckpoint }: Pick<Job, "id" | "latestCheckpoint">,
): Promise<Checkpoint[]> {
  if (latestCheckpoint === null) return [];
  const [latest, { data }] = await Promise.all([
    getCheckpoint(kv, latestCheckpoint),
    listCheckpoints(kv, id, { limit: PAGE_LIMIT }),
  ]);
  const older = data
    .filter((row) => row.id !== latestCheckpoint && row.step <= (latest?.step ?? Infinity) && !row.damage)
    .sort((a, b) => b.step - a.step);
  return [...(latest ? [latest] : []), ...older].filter(({ stateKey }) => stateKey !== null);
}
