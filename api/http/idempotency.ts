/**
 * `Idempotency-Key`: repeated requests with the same key and content create one resource.
 *
 * @module
 */
import { ProblemError } from "./problem.ts";

/** Pattern of the header: 1 to 255 printable ASCII characters, and not an empty quoted string. */
export const IDEMPOTENCY_KEY = /^(?!""$)[\x21-\x7e]{1,255}$/;

/**
 * Returns the key, without the quotes that the IETF draft puts around it; undefined without the header.
 *
 * @throws {ProblemError} 400 unless the header has 1 to 255 printable ASCII characters
 */
export function parseIdempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (IDEMPOTENCY_KEY.test(header)) return /^"(.*)"$/.exec(header)?.[1] ?? header;
  throw new ProblemError(400, "Idempotency-Key must have 1 to 255 printable ASCII characters without spaces");
}

/** Returns the SHA-256 of a validated request. The order of keys does not change it. */
export async function requestHash(request: unknown): Promise<string> {
  const text = JSON.stringify(
    request,
    (_key, value) =>
      value !== null && typeof value === "object" && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
        : value,
  );
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}
