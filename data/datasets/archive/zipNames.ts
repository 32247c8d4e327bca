/**
 * Decodes the names of files in a zip, which may have different encodings.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { DatasetError } from "../dataset.ts";

/** A name as stored in the directory of a zip, with the fields that determine its encoding. */
export interface RawName {
  readonly bytes: Uint8Array;
  /** Bit 11 of the general purpose flags (APPNOTE appendix D). */
  readonly utf8: boolean;
  readonly extraFields: readonly { readonly id: number; readonly data: Uint8Array }[];
}

/** A decoded name. */
export interface ZipName {
  readonly name: string;
  /** Whether the encoding is assumed to be the old default of the format. */
  readonly guessed: boolean;
}

/** Info-ZIP's Unicode Path Extra Field (APPNOTE 4.6.9). */
const UNICODE_PATH = 0x7075;

/** Bytes 0x80 to 0xff of code page 437, the format's default (APPNOTE appendix D). */
const CP437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** Returns the name in the extra field, if the field has the right checksum of the plain name. */
function unicodePath({ bytes, extraFields }: RawName): string | null {
  for (const { id, data } of extraFields) {
    if (id !== UNICODE_PATH || data.length < 6 || data[0] !== 1) continue;
    const checksum = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(1, true);
    if (checksum === crc32(bytes)) return decodeUtf8(data.subarray(5));
  }
  return null;
}

/**
 * Decodes a name. Many archivers write UTF-8 without setting the flag, so valid UTF-8 is decoded as UTF-8. Other names
 * should be in code page 437, and are decoded as such if the result consists of Western letters. A name that would
 * contain symbols has another, unknown encoding (Shift-JIS, GBK) and is refused.
 *
 * @throws {DatasetError} with the field
 */
export function decodeName(raw: RawName, field: string): ZipName {
  const name = unicodePath(raw) ?? decodeUtf8(raw.bytes);
  if (name !== null) return { name, guessed: false };
  const western = Array.from(
    raw.bytes,
    (byte) => byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80],
  )
    .join("");
  const isText = /^[\x20-\x5b\x5d-\x7eÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜáíóúñÑß]+$/.test(western);
  if (!raw.utf8 && isText) return { name: western, guessed: true };
  const escaped = Array.from(
    raw.bytes.subarray(0, 80),
    (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
  throw new DatasetError(
    `contains the name '${escaped}', which is not in UTF-8: make the archive with UTF-8 names`,
    field,
  );
}
