/**
 * Zip files whose entries are stored without compression. Their size is known before they are written.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Readable } from "node:stream";
// @ts-types="@types/yazl"
import { ZipFile } from "yazl";
import type { Bytes } from "./bytes.ts";

/** A file of a zip: its bytes, or its size and a function that returns a stream of its bytes. */
export type ZipMember =
  & { readonly name: string }
  & (
    | { readonly bytes: Bytes }
    | { readonly size: number; chunks(): AsyncIterable<Bytes> }
  );

/** A zip file to write. */
export interface StoredZip {
  /** Size in bytes. */
  readonly size: number;
  /** Yields the bytes. A streamed file is read while its bytes are yielded. */
  chunks(): AsyncGenerator<Bytes, void>;
}

/**
 * Zip stores local times, the first of which is 1980. With the same local time everywhere, equal files give equal bytes.
 */
const TIME = { mtime: new Date(1980, 0, 1), forceDosTimestamp: true } as const;

/**
 * Lays out a zip file. The same members give the same bytes. It has the Zip64 format where its size or that of a member
 * needs it.
 *
 * @param members the streamed ones should be last: readers of a stream cannot skip them
 */
export function storedZip(members: readonly ZipMember[]): StoredZip {
  let size = 0;
  const onSize = (total: number) => {
    size = total;
  };
  // Streams are not opened, so that nothing is read. The package's types lack the parameter of the callback.
  createZip(members, () => {}).end({ comment: "", forceZip64Format: false }, onSize as () => void);
  return { size, chunks: () => zipChunks(members) };
}

async function* zipChunks(members: readonly ZipMember[]): AsyncGenerator<Bytes, void> {
  const streams: Readable[] = [];
  const zip = createZip(members, (open, use) => {
    const stream = Readable.from(open(), { objectMode: false });
    stream.on("error", (error) => output.destroy(error));
    streams.push(stream);
    use(stream);
  });
  const output = zip.outputStream as Readable;
  zip.on("error", (error) => output.destroy(error));
  zip.end();
  try {
    for await (const chunk of output) yield chunk as Bytes;
  } finally {
    for (const stream of streams) stream.destroy();
  }
}

/** Creates a zip with members. @param openStream called when the bytes of a streamed member are needed */
function createZip(
  members: readonly ZipMember[],
  openStream: (open: () => AsyncIterable<Bytes>, use: (stream: Readable) => void) => void,
): ZipFile {
  const zip = new ZipFile();
  for (const member of members) {
    const options = { ...TIME, compress: false, mode: 0o100644 };
    if ("bytes" in member) {
      zip.addBuffer(
        Buffer.from(member.bytes.buffer, member.bytes.byteOffset, member.bytes.length),
        member.name,
        options,
      );
    } else {
      const open = () => member.chunks();
      zip.addReadStreamLazy(member.name, { ...options, size: member.size }, (use) => {
        openStream(open, (stream) => use(null, stream));
      });
    }
  }
  return zip;
}
