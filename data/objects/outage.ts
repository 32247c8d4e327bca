/**
 * Temporary errors of object stores, which are outages, and the log message at the end of an outage.
 *
 * @module
 */
import { S3Error } from "./s3/request.ts";
import { StorageUnavailableError } from "./store.ts";

/** Error codes of the operating system for a disk that is full, missing, failing, read-only or not accessible. */
const OS_CODES = new Set([
  "EACCES",
  "EBUSY",
  "EDQUOT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "EIO",
  "EMFILE",
  "ENFILE",
  "ENODEV",
  "ENOSPC",
  "ENOTCONN",
  "ENXIO",
  "EPERM",
  "EROFS",
  "ESTALE",
  "ETIMEDOUT",
]);
/** S3's codes of temporary errors whose status alone is ambiguous. */
const S3_CODES = new Set([
  "ExpiredToken",
  "NoSuchBucket",
  "RequestTimeout",
  "RequestTimeTooSkewed",
  "SlowDown",
]);

/**
 * Whether the same call may succeed later: after no response, an overloaded or failing server, refused access, a missing
 * bucket, a full or failing disk. A failed write may have been applied or not.
 */
export function isOutage(error: unknown): boolean {
  if (error instanceof StorageUnavailableError) return true;
  if (error instanceof S3Error) {
    // Status 200 means that the response was truncated.
    return [0, 200, 401, 403, 408, 429].includes(error.status) || error.status >= 500 ||
      S3_CODES.has(error.code);
  }
  if (!(error instanceof Error)) return false;
  const { code, name } = error as Error & { code?: unknown };
  return name === "TimeoutError" || (typeof code === "string" && OS_CODES.has(code)) ||
    error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.TimedOut ||
    (error.cause !== undefined && isOutage(error.cause));
}

/** Returns the log message for the end of an outage. @param outageMs duration of the outage in milliseconds */
export function recoveryMessage(outageMs: number): string {
  return `Object storage is available again after ${(outageMs / 1000).toFixed(1)} s`;
}
