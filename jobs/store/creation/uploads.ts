/**
 * Idempotency keys of uploads: of data sets and of imported checkpoints. A key reserves the id of one resource while it
 * is stored, and refers to it afterwards.
 *
 * @module
 */
import type { JobsDatabase } from "../change.ts";
import { withRetry } from "../kv/retry.ts";
import { keys, type UploadRow, type UploadTable } from "../rows/keys.ts";
import { IDEMPOTENCY_MS, IdempotencyConflictError } from "./idempotency.ts";

/** Time after which a reservation expires unless it is renewed, in milliseconds. */
export const RESERVATION_MS = 15_000;

/** The result of a reservation. */
export type Reservation =
  /** The caller may store the upload. */
  | { readonly type: "reserved" }
  /** The key created the resource with this id before. */
  | { readonly type: "found"; readonly id: string }
  /** Another request with the key is storing it. */
  | { readonly type: "busy" };

/** A request to store an upload once. */
export interface UploadClaim {
  readonly table: UploadTable;
  readonly key: string;
  /** Hash of the files and fields. Requests with the same hash count as the same request. */
  readonly fingerprint: string;
  /** Id of the data set or the checkpoint that would be created. */
  readonly id: string;
}

/** Returns the id in a row, which earlier versions stored as `datasetId`. */
const idOf = (row: UploadRow | null) => row?.id ?? row?.datasetId ?? "";

/**
 * Reserves a key for an upload, or finds what it created. The key of a deleted data set or checkpoint is free again, like
 * that of a deleted job.
 *
 * @param exists returns whether a resource with an id exists
 * @throws {IdempotencyConflictError} when the key is used for another request
 */
export function reserveUpload(
  { kv, now }: JobsDatabase,
  { table, key, fingerprint, id }: UploadClaim,
  exists: (id: string) => Promise<boolean>,
): Promise<Reservation> {
  const createdAt = now();
  return withRetry(async (): Promise<Reservation | undefined> => {
    const entry = await kv.get<UploadRow>(keys.upload(table, key));
    const row = entry.value, earlier = idOf(row);
    if (earlier === id) return { type: "reserved" };
    if (row !== null && createdAt - row.at < IDEMPOTENCY_MS) {
      const found = await exists(earlier);
      const busy = row.until !== null && row.until > now() && row.until - now() <= RESERVATION_MS;
      if ((found || busy) && row.fingerprint !== fingerprint) throw new IdempotencyConflictError(key);
      if (found) return { type: "found", id: earlier };
      if (busy) return { type: "busy" };
    }
    const reserved: UploadRow = { id, fingerprint, at: createdAt, until: now() + RESERVATION_MS };
    const operation = kv.atomic().check(entry)
      .set(keys.upload(table, key), reserved, { expireIn: IDEMPOTENCY_MS });
    return (await operation.commit()).ok ? { type: "reserved" } : undefined;
  });
}

/** Renews a reservation. @returns false when another request holds it now */
export function renewUpload(database: JobsDatabase, claim: UploadClaim): Promise<boolean> {
  return changeUpload(database, claim, database.now() + RESERVATION_MS);
}

/** Completes a reservation after the upload was stored. The key then refers to its resource. */
export async function completeUpload(database: JobsDatabase, claim: UploadClaim): Promise<void> {
  await changeUpload(database, claim, null);
}

/** Releases a key whose upload was not stored. */
export async function releaseUpload({ kv }: JobsDatabase, { table, key, id }: UploadClaim): Promise<void> {
  await withRetry(async () => {
    const entry = await kv.get<UploadRow>(keys.upload(table, key));
    if (entry.value === null || idOf(entry.value) !== id) return true;
    return (await kv.atomic().check(entry).delete(keys.upload(table, key)).commit()).ok || undefined;
  });
}

function changeUpload(
  { kv, now }: JobsDatabase,
  { table, key, id }: UploadClaim,
  until: number | null,
): Promise<boolean> {
  return withRetry(async () => {
    const entry = await kv.get<UploadRow>(keys.upload(table, key));
    if (entry.value === null || idOf(entry.value) !== id) return false;
    const expireIn = Math.max(1, entry.value.at + IDEMPOTENCY_MS - now());
    const row: UploadRow = { ...entry.value, until };
    const { ok } = await kv.atomic().check(entry).set(keys.upload(table, key), row, { expireIn }).commit();
    return ok || undefined;
  });
}
