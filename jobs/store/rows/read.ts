/**
 * Pages of jobs and checkpoints, read with few calls.
 *
 * @module
 */
import type { Job, JobStatus } from "../../job.ts";
import { withRetry } from "../kv/retry.ts";
import { indexPrefix, type JobRow, keys } from "./keys.ts";
import type { JobKind } from "../../requests/schemas.ts";

/** Most jobs or checkpoints of a page. */
export const PAGE_LIMIT = 1000;

/** Keys in one `getMany`; the limit of Deno KV. */
export const KEYS_PER_READ = 10;
/** Concurrent calls of `getMany`. */
const READS_AT_ONCE = 16;
/** Most rows that one read of a list returns. It limits the memory that large rows take. */
const ROWS_PER_READ = 200;

/** Which jobs a list contains. */
export interface JobQuery {
  readonly status?: JobStatus;
  readonly kind?: JobKind;
  /** 1 to 1000; 20 when absent. */
  readonly limit?: number;
  /** Only jobs older than this one (the last id of the page before). */
  readonly after?: string;
}

/** A page of a list. `next` is the value of `after` for the next page; null at the end. */
export interface Page<T> {
  readonly data: readonly T[];
  readonly hasMore: boolean;
  readonly next: string | null;
}

/** @throws {RangeError} for a limit outside 1 to 1000 */
export function checkLimit(limit: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT) {
    throw new RangeError(`limit must be a whole number from 1 to ${PAGE_LIMIT}: current value is ${limit}`);
  }
}

/** Returns a job; null when there is none with that id. */
export async function getJob(kv: Deno.Kv, id: string): Promise<Job | null> {
  return (await withRetry(() => kv.get<JobRow>(keys.job(id)))).value?.job ?? null;
}

/** The values of the keys, in the order of the keys; null for a missing key. One read takes ten keys. */
export async function readAll<T>(kv: Deno.Kv, wanted: readonly Deno.KvKey[]): Promise<(T | null)[]> {
  const values: (T | null)[] = [];
  const step = KEYS_PER_READ * READS_AT_ONCE;
  for (let from = 0; from < wanted.length; from += step) {
    const reads: Promise<Deno.KvEntryMaybe<T>[]>[] = [];
    for (let at = from; at < Math.min(from + step, wanted.length); at += KEYS_PER_READ) {
      reads.push(kv.getMany<T[]>(wanted.slice(at, at + KEYS_PER_READ)));
    }
    for (const { value } of (await Promise.all(reads)).flat()) values.push(value);
  }
  return values;
}

/** Jobs, newest first. A page is short only at the end. @throws {RangeError} for a limit outside 1 to 1000 */
export function listJobs(kv: Deno.Kv, query: JobQuery): Promise<Page<Job>> {
  const { status, kind, limit = 20, after } = query;
  if (status === undefined && kind === undefined) {
    return newestFirst<JobRow, Job>(kv, ["job"], { after, limit }, (rows) => rows.map(({ job }) => job));
  }
  return newestFirst<string, Job>(kv, indexPrefix({ status, kind }), { after, limit }, async (ids) => {
    const rows = await readAll<JobRow>(kv, ids.map(keys.job));
    // A job whose state changed after the index was read belongs to another list.
    return rows.map((row) =>
      row !== null && (status === undefined || row.job.status === status) ? row.job : null
    );
  });
}

/**
 * The rows under a prefix, newest first.
 *
 * @param read the items of some rows, in order; null for a row that is left out
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
      // One more than the page holds, to find out whether there is another page.
      const wanted = Math.min(ROWS_PER_READ, limit + 1 - data.length);
      const selector = end === undefined ? { prefix } : { prefix, end };
      const rows = await Array.fromAsync(
        kv.list<R>(selector, { reverse: true, limit: wanted, batchSize: wanted }),
      );
      for (const item of await read(rows.map(({ value }) => value))) {
        if (item === null) continue;
        if (data.length === limit) return { data, hasMore: true, next: data[limit - 1].id };
        data.push(item);
      }
      if (rows.length < wanted) return { data, hasMore: false, next: null };
      end = [...rows.at(-1)!.key];
    }
  });
}
