/**
 * The blocks of a tar file, and the check of its end.
 *
 * @module
 */
import { type Bytes, concatBytes } from "../../bytes.ts";
import { isAllZeros, isGzip } from "../compression/gzip.ts";
import { DatasetError } from "../dataset.ts";
import type { ArchiveChecker } from "./limits.ts";

/** Bytes of a block (POSIX, pax, ustar Interchange Format). */
export const TAR_BLOCK = 512;

/** Offsets of the checksum, the size and the type in a header. */
const CHECKSUM = 148, SIZE = 124, TYPE = 156;

/** Types of headers that describe the next entry: pax, global pax, GNU's long names. */
const METADATA_TYPES: ReadonlySet<string> = new Set(["x", "g", "L", "K", "N"]);

function parseOctal(block: Uint8Array, offset: number, length: number): number {
  const text = new TextDecoder("latin1").decode(block.subarray(offset, offset + length));
  return parseInt(text.replace(/^[\0 ]+/, ""), 8);
}

/** Rounds a size up to whole blocks. */
export function roundToBlocks(size: number): number {
  return Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
}

/** Whether a block is the first header of a tar. Headers of v7 have no magic number; they are detected by checksum. */
export function isTarHeader(block: Uint8Array): boolean {
  if (new TextDecoder("latin1").decode(block.subarray(257, 262)) === "ustar") return true;
  if (block.length < TAR_BLOCK || block[0] === 0) return false;
  let sum = 0;
  for (let i = 0; i < TAR_BLOCK; i++) {
    sum += i >= CHECKSUM && i < CHECKSUM + 8 ? 0x20 : block[i];
  }
  return sum === parseOctal(block, CHECKSUM, 8);
}

/** Value of `nextHeader` between yielding a header and parsing it. */
const UNKNOWN = -1;

/** Position of a parser in a tar. */
export interface TarPosition {
  /** Offset of the next header. The parser updates it after each header. */
  nextHeader: number;
}

/**
 * Yields the bytes of a tar up to its end marker, which is two blocks of zeros. Only zeros may follow, because programs
 * differ on whether they continue to read after the marker.
 *
 * @param position the parser must update `nextHeader` before it requests more bytes
 * @throws {DatasetError} for a truncated tar and for data after the end
 */
export async function* checkTarEnd(
  chunks: AsyncGenerator<Bytes>,
  position: TarPosition,
  checker: ArchiveChecker,
): AsyncGenerator<Bytes> {
  const { field } = checker;
  let offset = 0, zeroBlocks = 0;
  let remainder: Bytes = new Uint8Array(0);
  for await (const chunk of chunks) {
    checker.addBytes(chunk.length);
    let rest = remainder.length === 0 ? chunk : concatBytes([remainder, chunk]);
    while (rest.length > 0) {
      if (zeroBlocks === 2) {
        if (!isAllZeros(rest)) throw new DatasetError("has data after the end of the tar", field);
        rest = rest.subarray(rest.length);
        continue;
      }
      let length = Math.min(rest.length, position.nextHeader - offset);
      if (length <= 0) {
        if (rest.length < TAR_BLOCK) break;
        length = TAR_BLOCK;
        const block = rest.subarray(0, length);
        if (isAllZeros(block)) {
          zeroBlocks++;
          offset += TAR_BLOCK;
          position.nextHeader = offset;
          rest = rest.subarray(TAR_BLOCK);
          continue;
        }
        if (offset === 0) checkFirstBlock(block, field);
        zeroBlocks = 0;
        position.nextHeader = METADATA_TYPES.has(String.fromCharCode(block[TYPE]))
          ? offset + TAR_BLOCK + roundToBlocks(parseOctal(block, SIZE, 12) || 0)
          : UNKNOWN;
      }
      yield rest.subarray(0, length);
      if (position.nextHeader === UNKNOWN) throw new Error("a header could not be read");
      offset += length;
      rest = rest.subarray(length);
    }
    remainder = rest;
  }
  if (offset === 0 && remainder.length > 0) checkFirstBlock(remainder, field);
  if (remainder.length > 0 || zeroBlocks === 0) {
    throw new DatasetError("is damaged: it ends before the end of the tar", field);
  }
}

/** @throws {DatasetError} unless the data is a tar */
function checkFirstBlock(block: Uint8Array, field: string): void {
  if (isTarHeader(block)) return;
  if (isGzip(block)) throw new DatasetError("is gzipped twice: gzip it once, or not at all", field);
  throw new DatasetError("is gzipped, but contains no tar: send images as zip, tar or tar.gz", field);
}
