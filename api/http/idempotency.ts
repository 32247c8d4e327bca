/**
 * `Idempotency-Key` and `Prefer`, the two headers that change what a create does.
 *
 * @module
 */
import { ProblemError } from "./problem.ts";

/** Pattern of the header: 1 to 255 printable ASCII characters, and not an empty quoted string. */
export const IDEMPOTENCY_KEY = /^(?!""$)[\x21-\x7e]{1,255}$/;

/**
 * The key as the client meant it: bare, or quoted as the IETF draft has it.
 *
 * @throws {ProblemError} 400 unless it is 1 to 255 printable ASCII characters
 */
export function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (IDEMPOTENCY_KEY.test(header)) return /^"(.*)"$/.exec(header)?.[1] ?? header;
  throw new ProblemError(400, "Idempotency-Key must have 1 to 255 printable ASCII characters without spaces");
}

/** SHA-256 of a request as it was understood: the same for two spellings of one request. */
export async function fingerprint(request: unknown): Promise<string> {
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

/**
 * Seconds that `Prefer: wait=N` asks to wait; undefined without it. Other preferences are ignored, as RFC 7240 has it.
 *
 * @throws {ProblemError} 400 unless N is a whole number from 0 to `most`
 */
export function preferredWait(header: string | undefined, most: number): number | undefined {
  for (const part of (header ?? "").split(",")) {
    const [name, value] = part.split(";")[0].split("=").map((text) => text.trim());
    if (name.toLowerCase() !== "wait") continue;
    const seconds = value?.replace(/^"(.*)"$/, "$1");
    if (/^\d{1,6}$/.test(seconds ?? "") && Number(seconds) <= most) return Number(seconds);
    throw new ProblemError(
      400,
      `Prefer: wait must be a whole number of seconds from 0 to ${most}: current value is ${
        (seconds ?? "missing").slice(0, 20)
      }`,
    );
  }
  return undefined;
}
