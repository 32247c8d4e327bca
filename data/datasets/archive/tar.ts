/**
 * Tar files: v7, ustar, GNU and pax, gzipped or not.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { DatasetError } from "../dataset.ts";
import { content, isAllZeros, isGzip } from "../compression/gzip.ts";
import { type UploadedFile } from "../uploadedFile.ts";
import { ArchiveChecker, type ArchiveEntry, readImageBytes } from "./entry.ts";
import { isIgnoredPath, normalizePath, quoted } from "./paths.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a tar's block (POSIX, pax, ustar Interchange Format). */
export const TAR_BLOCK = 512;

/** Offsets of the checksum, the size and the type in a header. */
const CHECKSUM = 148, SIZE = 124, TYPE = 156;

/** Types of headers that describe the entry after them: pax, global pax, GNU's long names. */
const DESCRIPTIONS: ReadonlySet<string> = new Set(["x", "g", "L", "K", "N"]);

const octal = (block: Uint8Array, at: number, length: number): number =>
  parseInt(new TextDecoder("latin1").decode(block.subarray(at, at + length)).replace(/^[\0 ]+/, ""), 8);

const whole = (size: number): number => Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;

/** True for the first header of a tar. Headers of v7 have no magic number and are recognised by their checksum. */
export function isTarHeader(block: Uint8Array): boolean {
  if (new TextDecoder("latin1").decode(block.subarray(257, 262)) === "ustar") return true;
  if (block.length < TAR_BLOCK || block[0] === 0) return false;
  let sum = 0;
  for (let at = 0; at < TAR_BLOCK; at++) {
    sum += at >= CHECKSUM && at < CHECKSUM + 8 ? 0x20 : block[at];
  }
  return sum === octal(block, CHECKSUM, 8);
}

/** Marks the position of the next header as unknown, while a header is being read. */
const UNREAD = -1;

/** Offset of the next header, as known from the headers before it. */
interface Frame {
  next: number;
}

/**
 * Passes on a tar up to its end, which is two blocks of zeros in place of a header. Only zeros may follow, because some
 * programs would read entries of another tar there and others would not.
 *
 * @param frame the reader of the entries updates `next` before it requests more
 * @throws {DatasetError} for a tar that is cut off and for data after the end
 */
async function* upToItsEnd(
  pieces: AsyncGenerator<Bytes>,
  frame: Frame,
  ledger: ArchiveChecker,
): AsyncGenerator<Bytes> {
  let at = 0, zeroBlocks = 0;
  let left: Bytes = new Uint8Array(0);
  for await (const piece of pieces) {
    ledger.bytes(piece.length);
    let rest = left.length === 0 ? piece : joined(left, piece);
    while (rest.length > 0) {
      if (zeroBlocks === 2) {
        if (!isAllZeros(rest)) throw new DatasetError("has data after the end of the tar", ledger.field);
        rest = rest.subarray(rest.length);
        continue;
      }
      let length = Math.min(rest.length, frame.next - at);
      if (length <= 0) {
        if (rest.length < TAR_BLOCK) break;
        length = TAR_BLOCK;
        const block = rest.subarray(0, length);
        if (isAllZeros(block)) {
          zeroBlocks++;
          frame.next = at + TAR_BLOCK;
          at += TAR_BLOCK;
          rest = rest.subarray(TAR_BLOCK);
          continue;
        }
        if (at === 0) checkFirst(block, ledger.field);
        zeroBlocks = 0;
        frame.next = DESCRIPTIONS.has(String.fromCharCode(block[TYPE]))
          ? at + TAR_BLOCK + whole(octal(block, SIZE, 12) || 0)
          : UNREAD;
      }
      yield rest.subarray(0, length);
      if (frame.next === UNREAD) throw new Error("a header could not be read");
      at += length;
      rest = rest.subarray(length);
    }
    left = rest;
  }
  if (at === 0 && left.length > 0) checkFirst(left, ledger.field);
  if (left.length > 0 || zeroBlocks === 0) {
    throw new DatasetError("is damaged: it ends before the end of the tar", ledger.field);
  }
}

/** @throws {DatasetError} unless the data is a tar; a file that was gzipped twice has its own message */
function checkFirst(block: Uint8Array, field: string): void {
  if (isTarHeader(block)) return;
  if (isGzip(block)) throw new DatasetError("is gzipped twice: gzip it once, or not at all", field);
  throw new DatasetError("is gzipped, but holds no tar: send images as zip, tar or tar.gz", field);
}

function joined(first: Bytes, second: Bytes): Bytes {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function checkKind(path: string, type: string | null | undefined, field: string): void {
  if (type === "file" || type === "contiguous-file") return;
  const what = type ? `a ${type}` : "of an unknown type";
  throw new DatasetError(`holds ${quoted(path)}, which is ${what}, not a file`, field);
}

/**
 * The files of a tar in its own order.
 *
 * @throws {DatasetError} naming the field
 */
export async function* readTar(file: UploadedFile, signal?: AbortSignal): AsyncGenerator<ArchiveEntry> {
  const { field } = file;
  const ledger = new ArchiveChecker(field), frame: Frame = { next: 0 };
  // Each piece is read before the next one is requested, because a header determines the offset of the next header.
  const tar = extract({ allowUnknownFormat: true, highWaterMark: 1 } as never);
  tar.on("entry", (entry: Header) => {
    const header = entry as Header & { byteOffset: number };
    // The content of a folder has no bytes, even if its header declares some.
    frame.next = header.byteOffset + (header.type === "directory" ? 0 : whole(header.size ?? 0));
  });
  const pieces = content(file, signal);
  const source = upToItsEnd(pieces, frame, ledger);
  const feeding = pipeline(source, tar as unknown as NodeJS.WritableStream);
  feeding.catch(() => {});
  try {
    for await (const entry of tar) {
      signal?.throwIfAborted();
      ledger.entry();
      const { name, type, size = 0 } = entry.header as Header;
      const path = normalizePath(name, field);
      if (type === "directory") {
        entry.resume();
        continue;
      }
      ledger.file(path);
      if (isIgnoredPath(path)) {
        entry.resume();
        yield { path, passedOver: "hidden" };
        continue;
      }
      checkKind(path, type, field);
      const bytes = await readImageBytes(entry as unknown as Readable, { path, field, size, toItsEnd: true });
      yield bytes === null ? { path, passedOver: "not_an_image" } : { path, bytes };
    }
    await feeding;
  } catch (error) {
    throw await feeding.then(() => error, (cause) => cause instanceof DatasetError ? cause : error);
  } finally {
    tar.destroy();
    await source.return(undefined).catch(() => {});
    await pieces.return(undefined).catch(() => {});
  }
}
