/**
 * Conditional and partial reads: RFC 9110 sections 13 and 14.
 *
 * @module
 */
import type { ByteRange } from "../../data/objects/store.ts";
import { ProblemError } from "./problem.ts";

/** Whether `If-None-Match` names this entity tag (weak comparison). */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((item) => item.trim().replace(/^W\//, "") === etag);
}

/**
 * The part of `size` bytes that `Range` asks for, both ends within; null for all of it: no header, another unit,
 * a form that is not understood, or several ranges, each of which a server may ignore.
 *
 * @param ifRange an `If-Range` that is not exactly the entity tag asks for all of it
 * @throws {ProblemError} 416 when the range begins past the end
 */
export function partOf(
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
  const start = first === "" ? Math.max(0, size - upTo(last, size)) : upTo(first, size);
  const end = first === "" || last === "" ? size - 1 : upTo(last, size - 1);
  if (start >= size) {
    throw new ProblemError(416, `The range begins past the end: there are ${size} bytes`, {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  return { start, end };
}

/** A whole number of any length, at most `most`. */
function upTo(digits: string, most: number): number {
  const value = BigInt(digits);
  return value > BigInt(most) ? most : Number(value);
}
