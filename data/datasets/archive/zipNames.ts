/**
 * Names in zip files, which may be in any of several encodings.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { DatasetError } from "../dataset.ts";

/** A name in a zip's directory, with the fields that determine its encoding. */
export interface RawName {
  readonly bytes: Uint8Array;
  /** Bit 11 of the general purpose flags (APPNOTE appendix D). */
  readonly utf8: boolean;
  readonly extraFields: readonly { readonly id: number; readonly data: Uint8Array }[];
}

/** A decoded name. */
export interface ZipName {
  readonly name: string;
  /** True when the encoding is only the format's old default. */
  readonly guessed: boolean;
}

/** Info-ZIP's Unicode Path Extra Field (APPNOTE 4.6.9). */
const UNICODE_PATH = 0x7075;

/** Bytes 0x80 to 0xff of code page 437, the format's default (APPNOTE appendix D). */
const CP437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐" +
  "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** The name in the extra field. It is valid if the field has the right checksum of the plain name. */
function unicodePath({ bytes, extraFields }: RawName): string | null {
  for (const { id, data } of extraFields) {
    if (id !== UNICODE_PATH || data.length < 6 || data[0] !== 1) continue;
    const checksum = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(1, true);
    if (checksum === crc32(bytes)) return utf8(data.subarray(5));
  }
  return null;
}

/**
 * Decodes a name. Many archivers write UTF-8 without setting the flag, so valid UTF-8 is decoded as UTF-8. Other names
 * are in code page 437 by the format's rule, and are decoded so if they consist of Western letters. A name that would
 * contain symbols is in an unnamed encoding (Shift-JIS, GBK). It is refused, because decoding it would be a guess.
 *
 * @throws {DatasetError} naming the field
 */
export function decodeName(raw: RawName, field: string): ZipName {
  const name = unicodePath(raw) ?? utf8(raw.bytes);
  if (name !== null) return { name, guessed: false };
  const old = Array.from(raw.bytes, (byte) => byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80])
    .join("");
  const letters = /^[\x20-\x5b\x5d-\x7eÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜáíóúñÑß]+$/.test(old);
  if (!raw.utf8 && letters) return { name: old, guessed: true };
  const escaped = Array.from(
    raw.bytes.subarray(0, 80),
    (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
  throw new DatasetError(
    `holds the name '${escaped}', which is not in UTF-8: make the archive with UTF-8 names`,
    field,
  );
}
