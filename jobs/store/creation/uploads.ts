/**
 * Idempotency keys of data sets. A key reserves the id of one data set while it is stored, and refers to it afterwards.
 *
 * @module
 */
import type { JobsDatabase } from "../change.ts";
import { withRetry } from "../kv/retry.ts";
import { keys, type UploadRow } from "../rows/keys.ts";
import { IDEMPOTENCY_MS, IdempotencyConflictError } from "./idempotency.ts";

/** Time after which a reservation expires unless it is renewed, in milliseconds. */
export const RESERVATION_MS = 15_000;

/** The result of a reservation. */
export type Reservation =
  /** The caller may store the data set. */
  | { readonly type: "reserved" }
  /** The data set that the key created before. */
  | { readonly type: "found"; readonly datasetId: string }
  /** Another request with the key is storing it. */
  | { readonly type: "busy" };

/** A request to store a data set once. */
export interface UploadClaim {
  readonly key: string;
  /** Hash of the files and fields. Requests with the same hash count as the same request. */
  readonly fingerprint: string;
  /** Id of the data set that would be created. */
  readonly datasetId: string;
}

/**
 * Reserves a key for a data set, or finds the data set that it created. The key of a deleted data set is free again,
 * like that of a deleted job.
 *
 * @param exists returns whether a data set with an id exists
 * @throws {IdempotencyConflictError} when the key is used for another request
 */
export function reserveUpload(
  { kv, now }: JobsDatabase,
  { key, fingerprint, datasetId }: UploadClaim,
  exists: (datasetId: string) => Promise<boolean>,
): Promise<Reservation> {
  const createdAt = now();
  return withRetry(async (): Promise<Reservation | undefined> => {
    const entry = await kv.get<UploadRow>(keys.upload(key));
    const row = entry.value;
    if (row?.datasetId === datasetId) return { type: "reserved" };
    if (row !== null && createdAt - row.at < IDEMPOTENCY_MS) {
      const found = await exists(row.datasetId);
      const busy = row.until !== null && row.until > now() && row.until - now() <= RESERVATION_MS;
      if ((found || busy) && row.fingerprint !== fingerprint) throw new IdempotencyConflictError(key);
      if (found) return { type: "found", datasetId: row.datasetId };
      if (busy) return { type: "busy" };
    }
    const reserved: UploadRow = { datasetId, fingerprint, at: createdAt, until: now() + RESERVATION_MS };
    const operation = kv.atomic().check(entry).set(keys.upload(key), reserved, { expireIn: IDEMPOTENCY_MS });
    return (await operation.commit()).ok ? { type: "reserved" } : undefined;
  });
}

/** Renews a reservation. @returns false when another request holds it now */
export function renewUpload(database: JobsDatabase, claim: UploadClaim): Promise<boolean> {
  return changeUpload(database, claim, database.now() + RESERVATION_MS);
}

/** Completes a reservation after its data set was stored. The key then refers to the data set. */
export async function completeUpload(database: JobsDatabase, claim: UploadClaim): Promise<void> {
  await changeUpload(database, claim, null);
}

/** Releases a key whose data set was not stored. */
export async function releaseUpload({ kv }: JobsDatabase, { key, datasetId }: UploadClaim): Promise<void> {
  await withRetry(async () => {
    const entry = await kv.get<UploadRow>(keys.upload(key));
    if (entry.value?.datasetId !== datasetId) return true;
    return (await kv.atomic().check(entry).delete(keys.upload(key)).commit()).ok || undefined;
  });
}

function changeUpload(
  { kv, now }: JobsDatabase,
  { key, datasetId }: UploadClaim,
  until: number | null,
): Promise<boolean> {
  return withRetry(async () => {
    const entry = await kv.get<UploadRow>(keys.upload(key));
    if (entry.value?.datasetId !== datasetId) return false;
    const expireIn = Math.max(1, entry.value.at + IDEMPOTENCY_MS - now());
    const row: UploadRow = { ...entry.value, until };
    const { ok } = await kv.atomic().check(entry).set(keys.upload(key), row, { expireIn }).commit();
    return ok || undefined;
  });
}
