/**
 * Zip files with any name, mode, flag and declared size, including invalid ones.
 *
 * @module
 */
import { crc32, deflateRawSync } from "node:zlib";
import { type Bytes, concatBytes } from "../../data/bytes.ts";

/** An entry of a zip. */
export interface ZipEntry {
  readonly name: string;
  readonly bytes: Bytes;
  /** Unix mode. @default a file, 0o100644 */
  readonly mode?: number;
  /** General purpose bits. */
  readonly flags?: number;
  /** Whether the content is compressed. @default false */
  readonly deflated?: boolean;
  /** Uncompressed size in the header. @default the actual size */
  readonly size?: number;
  /** Bytes of the name, without the UTF-8 flag of zip. */
  readonly rawName?: Bytes;
  /** Host system of the archiver (APPNOTE 4.4.2). @default 3, Unix */
  readonly host?: number;
  /** Extra fields in the central directory. */
  readonly extra?: Bytes;
  /** Whether the entry refers to the content of the previous entry. */
  readonly reusesContent?: boolean;
}

/** Encodes a zip file (APPNOTE 4.3). */
export function zipOf(entries: readonly ZipEntry[]): Bytes {
  const parts: Bytes[] = [], directory: Bytes[] = [];
  let offset = 0, last = 0;
  for (const entry of entries) {
    const { name, bytes, mode = 0o100644, flags = 0, deflated = false, size, rawName } = entry;
    const { host = 3, extra = new Uint8Array(0) } = entry;
    const path = rawName ?? new TextEncoder().encode(name);
    // An encrypted entry begins with a header of 12 bytes (APPNOTE 6.1).
    const content = deflated ? deflateRawSync(bytes) : bytes;
    const stored = flags & 1 ? new Uint8Array([...new Uint8Array(12), ...content]) : content;
    const writeCommonFields = (view: DataView, offset: number) => {
      view.setUint16(offset, 20, true);
      view.setUint16(offset + 2, rawName ? flags : flags | 0x800, true);
      view.setUint16(offset + 4, deflated ? 8 : 0, true);
      view.setUint32(offset + 10, crc32(bytes), true);
      view.setUint32(offset + 14, stored.length, true);
      view.setUint32(offset + 18, size ?? bytes.length, true);
      view.setUint16(offset + 22, path.length, true);
    };
    const local = new DataView(new ArrayBuffer(30));
    local.setUint32(0, 0x04034b50, true);
    writeCommonFields(local, 4);
    const central = new DataView(new ArrayBuffer(46));
    central.setUint32(0, 0x02014b50, true);
    central.setUint16(4, host << 8 | 20, true);
    writeCommonFields(central, 6);
    central.setUint16(30, extra.length, true);
    central.setUint32(38, host === 3 ? mode * 0x10000 : 0, true);
    if (!entry.reusesContent) {
      last = offset;
      parts.push(new Uint8Array(local.buffer), path, stored);
      offset += 30 + path.length + stored.length;
    }
    central.setUint32(42, last, true);
    directory.push(new Uint8Array(central.buffer), path, extra);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  return concatBytes([...parts, ...directory, new Uint8Array(end.buffer)]);
}
