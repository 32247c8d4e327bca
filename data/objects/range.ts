/**
 * Checks of byte ranges, the same for all object stores.
 *
 * @module
 */
import { type ByteRange, RangeNotSatisfiableError } from "./store.ts";

/**
 * Resolves a range to the first and last byte of an object, both inclusive. `end` is limited to the object's size.
 *
 * @param key for messages
 * @param size size of the object in bytes
 * @throws {RangeError} for a malformed range
 * @throws {RangeNotSatisfiableError} for a range that begins after the end of the object
 */
export function resolveRange(key: string, size: number, range: ByteRange): { start: number; end: number } {
  checkRange(range);
  if (range.start >= size) throw new RangeNotSatisfiableError(key, size);
  return { start: range.start, end: Math.min(range.end ?? size - 1, size - 1) };
}

/**
 * Checks a range without the object.
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
