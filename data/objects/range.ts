/**
 * What both stores ask of byte ranges and list prefixes.
 *
 * @module
 */
import { type ByteRange, checkKey, RangeNotSatisfiableError } from "./store.ts";

/**
 * The first and last byte of a range of an object, both inclusive, with `end` cut to the object.
 *
 * @param key only named in errors
 * @param size bytes of the object
 * @throws {RangeError} when the range is none
 * @throws {RangeNotSatisfiableError} when it begins past the object's end
 */
export function resolveRange(key: string, size: number, range: ByteRange): { start: number; end: number } {
  checkRange(range);
  if (range.start >= size) throw new RangeNotSatisfiableError(key, size);
  return { start: range.start, end: Math.min(range.end ?? size - 1, size - 1) };
}

/**
 * Checks a range as far as that goes without the object.
 *
 * @throws {RangeError} unless start and end are whole numbers from 0 and the end is not before the start
 */
export function checkRange({ start, end }: ByteRange): void {
  if (!Number.isSafeInteger(start) || start < 0) {
    throw new RangeError(`A range's start must be a whole number from 0: current value is ${start}`);
  }
  if (end !== undefined && (!Number.isSafeInteger(end) || end < start)) {
    throw new RangeError(
      `A range's end must be a whole number from its start, ${start}: current value is ${end}`,
    );
  }
}

/**
 * Checks the prefix of a listing: empty, a key, or a key followed by `/`.
 *
 * @throws {InvalidKeyError} for another
 */
export function checkPrefix(prefix: string): string {
  if (prefix !== "") checkKey(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
  return prefix;
}
