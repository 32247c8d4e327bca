/**
 * Reads tar files: v7, ustar, GNU and pax, gzipped or not.
 *
 * @module
 */
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";
import { readContent } from "../compression/gzip.ts";
import { DatasetError } from "../dataset.ts";
import { quoted } from "../quoted.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { type ArchiveEntry, readImageBytes } from "./entry.ts";
import { ArchiveChecker } from "./limits.ts";
import { isHiddenPath, normalizePath } from "./paths.ts";
import { checkTarEnd, roundToBlocks, type TarPosition } from "./tarFormat.ts";

function checkType(path: string, type: string | null | undefined, field: string): void {
  if (type === "file" || type === "contiguous-file") return;
  const description = type ? `a ${type}` : "of an unknown type";
  throw new DatasetError(`contains ${quoted(path)}, which is ${description}, not a file`, field);
}

/**
 * Yields the files of a tar in its order.
 *
 * @throws {DatasetError} with the field
 */
export async function* readTar(file: UploadedFile, signal?: AbortSignal): AsyncGenerator<ArchiveEntry> {
  const { field } = file;
  const checker = new ArchiveChecker(field), position: TarPosition = { nextHeader: 0 };
  // Each chunk is parsed before the next one is requested, because a header determines the offset of the next header.
  const parser = extract({ allowUnknownFormat: true, highWaterMark: 1 } as never);
  parser.on("entry", (entry: Header) => {
    const header = entry as Header & { byteOffset: number };
    // The content of a folder has no bytes, even if its header declares some.
    const size = header.type === "directory" ? 0 : roundToBlocks(header.size ?? 0);
    position.nextHeader = header.byteOffset + size;
  });
  const chunks = readContent(file, signal);
  const source = checkTarEnd(chunks, position, checker);
  const feeding = pipeline(source, parser as unknown as NodeJS.WritableStream);
  feeding.catch(() => {});
  try {
    for await (const entry of parser) {
      signal?.throwIfAborted();
      checker.addEntry();
      const { name, type, size = 0 } = entry.header as Header;
      const path = normalizePath(name, field);
      if (type === "directory") {
        entry.resume();
        continue;
      }
      checker.addFile(path);
      if (isHiddenPath(path)) {
        entry.resume();
        yield { path, skipped: "hidden" };
        continue;
      }
      checkType(path, type, field);
      const stream = entry as unknown as Readable;
      const bytes = await readImageBytes(stream, { path, field, size, readToEnd: true });
      yield bytes === null ? { path, skipped: "not_an_image" } : { path, bytes };
    }
    await feeding;
  } catch (error) {
    throw await feeding.then(() => error, (cause) => cause instanceof DatasetError ? cause : error);
  } finally {
    parser.destroy();
    await source.return(undefined).catch(() => {});
    await chunks.return(undefined).catch(() => {});
  }
}
