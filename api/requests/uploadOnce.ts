/**
 * `Idempotency-Key` of uploads: requests with the same key and content create one data set or checkpoint.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { pause } from "../../data/backoff.ts";
import {
  completeUpload,
  releaseUpload,
  renewUpload,
  RESERVATION_MS,
  reserveUpload,
  type UploadClaim,
} from "../../jobs/store/creation/uploads.ts";
import type { Services } from "../services.ts";
import { requestHash } from "../http/idempotency.ts";
import { ProblemError } from "../http/problem.ts";

/** Interval at which a request checks whether another one with its key is done, in milliseconds. */
const POLL_MS = 200;

/**
 * Returns the hash of an upload's fields and of its files' bytes. The first file's name is included if it names the
 * resource. Fields with several files have a list of hashes.
 */
export async function uploadHash(
  fields: { readonly name?: string; readonly [field: string]: unknown },
  files: readonly UploadedFile[],
  signal: AbortSignal,
): Promise<string> {
  const contents: Record<string, string | string[]> = {};
  for (const { field, path } of files) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) {
      signal.throwIfAborted();
      hash.update(chunk);
    }
    const digest = hash.digest("hex"), earlier = contents[field];
    contents[field] = earlier === undefined ? digest : [earlier, digest].flat();
  }
  return await requestHash({
    fields,
    contents,
    filename: fields.name === undefined ? files[0]?.filename : null,
  });
}

/** An upload that is stored at most once. */
export interface OnceUpload<T> {
  readonly claim: UploadClaim;
  /** Returns a stored resource; null when it does not exist or is being deleted. */
  find(id: string): Promise<T | null>;
  /** Stores the upload under the id of the claim. Calls `confirm` before it becomes visible, and stops if that throws. */
  store(confirm: () => Promise<void>): Promise<T>;
}

/**
 * Stores an upload once per key. While another request with the same key is storing, this one waits for it.
 *
 * @returns the resource; `created` is false when an earlier request created it
 * @throws {IdempotencyConflictError} when the key is used for another request
 */
export async function uploadOnce<T>(
  { jobs }: Pick<Services, "jobs">,
  { claim, find, store }: OnceUpload<T>,
  signal: AbortSignal,
): Promise<{ resource: T; created: boolean }> {
  while (true) {
    signal.throwIfAborted();
    const reservation = await reserveUpload(jobs, claim, async (id) => await find(id) !== null);
    if (reservation.type === "reserved") break;
    const resource = reservation.type === "found" ? await find(reservation.id) : null;
    if (resource !== null) return { resource, created: false };
    await pause(POLL_MS, signal);
  }
  // A failed renewal is not an error: the next one, or the check before the upload becomes visible, repeats it.
  const timer = setInterval(() => renewUpload(jobs, claim).catch(() => {}), RESERVATION_MS / 3);
  let resource: T;
  try {
    resource = await store(async () => {
      if (await renewUpload(jobs, claim)) return;
      throw new ProblemError(
        409,
        "Another request with this Idempotency-Key is storing the upload: send this one again",
      );
    });
  } catch (error) {
    clearInterval(timer);
    // If the release fails, the key becomes free when the reservation expires.
    await releaseUpload(jobs, claim).catch(() => {});
    throw error;
  }
  clearInterval(timer);
  await completeUpload(jobs, claim);
  return { resource, created: true };
}
