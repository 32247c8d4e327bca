/**
 * Conditional requests and range requests (RFC 9110 sections 13 and 14).
 *
 * @module
 */
import type { ByteRange } from "../../data/objects/store.ts";
import { ProblemError } from "./problem.ts";

/** Returns whether `If-None-Match` contains this entity tag (weak comparison). */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((item) => item.trim().replace(/^W\//, "") === etag);
}

/**
 * Returns the byte range that `Range` requests, both ends inclusive. Returns null for the whole content: without the
 * header, for another unit, for an invalid range and for several ranges, all of which a server may ignore.
 *
 * @param ifRange the range is ignored unless this is undefined or equal to the entity tag
 * @throws {ProblemError} 416 when the range begins past the end
 */
export function parseRange(
  header: string | undefined,
  ifRange: string | undefined,
  etag: string,
  size: number,
): Required<ByteRange> | null {
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header ?? "");
  if (match === null || (ifRange !== undefined && ifRange.trim() !== etag)) return null;
  const [, first, last] = match;
  if (first === "" && last === "") return null;
  // Positions have no upper bound, and a number above 2^53 would be rounded.
  if (first !== "" && last !== "" && BigInt(last) < BigInt(first)) return null;
  const start = first === "" ? Math.max(0, size - parseClamped(last, size)) : parseClamped(first, size);
  const end = first === "" || last === "" ? size - 1 : parseClamped(last, size - 1);
  if (start >= size) {
    throw new ProblemError(416, `The range begins past the end: there are ${size} bytes`, {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return { start, end };
}

/** Parses a whole number with any number of digits. Returns at most `max`. */
function parseClamped(digits: string, max: number): number {
  const value = BigInt(digits);
  return value > BigInt(max) ? max : Number(value);
}
