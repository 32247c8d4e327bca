/**
 * Reads jobs, and pages of rows.
 *
 * @module
 */
import type { Job, JobStatus } from "../../job.ts";
import { withRetry } from "../kv/retry.ts";
import { indexPrefix, type JobRow, keys } from "./keys.ts";

/** Maximum number of jobs or checkpoints in a page. */
export const PAGE_LIMIT = 1000;

/** Number of keys in one `getMany`; the limit of Deno KV. */
export const KEYS_PER_READ = 10;
/** Number of concurrent calls of `getMany`. */
const CONCURRENT_READS = 16;
/** Maximum number of rows of one list call. It limits the memory that large rows take. */
const ROWS_PER_READ = 200;

/** Filter and page of a list of jobs. */
export interface JobQuery {
  readonly status?: JobStatus;
  readonly kind?: string;
  /** Maximum number of jobs, 1 to 1000. @default 20 */
  readonly limit?: number;
  /** Cursor: only jobs older than the one with this id. */
  readonly after?: string;
}

/** A page of a list. `next` is the cursor of the next page; null at the end. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
  readonly next: string | null;
}

/** Checks the size of a page. @throws {RangeError} for a limit outside 1 to 1000 */
function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT) {
    throw new RangeError(`limit must be a whole number from 1 to ${PAGE_LIMIT}: current value is ${limit}`);
  }
}

/** Returns a job; null when there is none with that id. */
export async function getJob(kv: Deno.Kv, id: string): Promise<Job | null> {
  return (await withRetry(() => kv.get<JobRow>(keys.job(id)))).value?.job ?? null;
}

/** Returns the values of the keys, in order; null for a missing key. */
export async function readAll<T>(kv: Deno.Kv, kvKeys: readonly Deno.KvKey[]): Promise<(T | null)[]> {
  const values: (T | null)[] = [];
  const stride = KEYS_PER_READ * CONCURRENT_READS;
  for (let from = 0; from < kvKeys.length; from += stride) {
    const reads: Promise<Deno.KvEntryMaybe<T>[]>[] = [];
    for (let i = from; i < Math.min(from + stride, kvKeys.length); i += KEYS_PER_READ) {
      reads.push(kv.getMany<T[]>(kvKeys.slice(i, i + KEYS_PER_READ)));
    }
    for (const { value } of (await Promise.all(reads)).flat()) values.push(value);
  }
  return values;
}

/** Returns a page of jobs, newest first. Only the last may be short. @throws {RangeError} for an invalid limit */
export function listJobs(kv: Deno.Kv, query: JobQuery): Promise<Page<Job>> {
  const { status, kind, limit = 20, after } = query;
  if (status === undefined && kind === undefined) {
    return newestFirst<JobRow, Job>(kv, ["job"], { after, limit }, (rows) => rows.map(({ job }) => job));
  }
  return newestFirst<string, Job>(kv, indexPrefix({ status, kind }), { after, limit }, async (ids) => {
    const rows = await readAll<JobRow>(kv, ids.map(keys.job));
    // The status of a job may have changed after the index was read.
    return rows.map((row) =>
      row !== null && (status === undefined || row.job.status === status) ? row.job : null
    );
  });
}

/**
 * Returns a page of the rows under a prefix, newest first.
 *
 * @param read returns the items of rows, in order; null to omit a row
 * @throws {RangeError} for a limit outside 1 to 1000
 */
export function newestFirst<R, T extends { readonly id: string }>(
  kv: Deno.Kv,
  prefix: Deno.KvKey,
  { after, limit }: { readonly after?: string; readonly limit: number },
  read: (values: readonly R[]) => readonly (T | null)[] | Promise<readonly (T | null)[]>,
): Promise<Page<T>> {
  checkLimit(limit);
  return withRetry(async () => {
    const data: T[] = [];
    let end = after === undefined ? undefined : [...prefix, after];
    while (true) {
      // One more row than the page holds shows whether there is another page.
      const count = Math.min(ROWS_PER_READ, limit + 1 - data.length);
      const selector = end === undefined ? { prefix } : { prefix, end };
      const rows = await Array.fromAsync(
        kv.list<R>(selector, { reverse: true, limit: count, batchSize: count }),
      );
      for (const item of await read(rows.map(({ value }) => value))) {
        if (item === null) continue;
        if (data.length === limit) return { data, hasMore: true, next: data[limit - 1].id };
        data.push(item);
      }
      if (rows.length < count) return { data, hasMore: false, next: null };
      end = [...rows.at(-1)!.key];
    }
  });
}
