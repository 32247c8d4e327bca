/**
 * Reads the JSON text of a header, more strictly than `JSON.parse`.
 *
 * @module
 */
import { visit } from "jsonc-parser";
import { hasManyBlanks, TOO_MANY_BLANKS } from "../strictJson.ts";
import { quote, SafetensorsError } from "./error.ts";

/** Maximum size of a header in bytes: 4,096 class names of 255 characters of any script fit into it. */
export const MAX_HEADER_BYTES = 8 * 1024 * 1024;

/** Size in bytes of the number before the header. */
export const LENGTH_BYTES = 8;

/** Key of the metadata in the header. No tensor can have this name. */
export const METADATA = "__metadata__";

/** Maximum nesting of objects and arrays: the header, a tensor, its shape. */
const MAX_DEPTH = 3;

/**
 * Maximum number of names, texts and numbers, which take far longer to check than the characters of a text. A tensor has
 * about ten: the files of the largest models have 30,000.
 */
const MAX_VALUES = 2 ** 16;

/** Reads the length of a header. Numbers above 2^53 are inexact, but such lengths exceed the limit anyway. */
export function readHeaderLength(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

/**
 * Returns the offset of the end of a header. It is that of its length if the header exceeds the limit or the file, which
 * `readHeader` rejects.
 *
 * @param bytes the file, or at least its first 8 bytes
 * @param fileSize size of the whole file in bytes
 */
export function headerEnd(bytes: Uint8Array, fileSize: number): number {
  if (bytes.length < LENGTH_BYTES) return bytes.length;
  const length = readHeaderLength(bytes);
  const fits = length <= Math.min(MAX_HEADER_BYTES, fileSize - LENGTH_BYTES);
  return fits ? LENGTH_BYTES + length : LENGTH_BYTES;
}

/**
 * Parses the header of a file.
 *
 * @param bytes the file, or at least its first 8 + header length bytes
 * @param fileSize size of the whole file in bytes
 * @throws {SafetensorsError}
 */
export function parseHeader(bytes: Uint8Array, fileSize: number): Record<string, unknown> {
  const text = decodeHeader(bytes, fileSize);
  checkJson(text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SafetensorsError(`The header is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function decodeHeader(bytes: Uint8Array, fileSize: number): string {
  if (bytes.length < LENGTH_BYTES) {
    throw new SafetensorsError(`A safetensors file must have at least 8 bytes: this one has ${fileSize}`);
  }
  const length = readHeaderLength(bytes);
  if (length > MAX_HEADER_BYTES) {
    if (isPickle(bytes)) {
      throw new SafetensorsError(
        "This is a pickle (.pt, .pth or .bin), which is not supported: save it as safetensors",
      );
    }
    throw new SafetensorsError(
      `The header must have at most ${MAX_HEADER_BYTES} bytes: the file declares ${length}`,
    );
  }
  if (LENGTH_BYTES + length > fileSize) {
    throw new SafetensorsError(`The header of ${length} bytes exceeds the file, which has ${fileSize} bytes`);
  }
  if (LENGTH_BYTES + length > bytes.length) {
    throw new SafetensorsError(
      `The header of ${length} bytes is incomplete: ${bytes.length - LENGTH_BYTES} bytes were read`,
    );
  }
  let text: string;
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    text = decoder.decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length));
  } catch (cause) {
    throw new SafetensorsError("The header is not UTF-8", { cause });
  }
  if (!text.startsWith("{")) {
    throw new SafetensorsError(`The header must begin with '{': it begins with ${quote(text.slice(0, 8))}`);
  }
  return text;
}

/** Whether a file begins like a zip archive of `torch.save` or like a pickle. Short header lengths can look the same. */
function isPickle(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x50 && bytes[1] === 0x4b) || (bytes[0] === 0x80 && bytes[1] <= 5);
}

/** Refuses repeated names, numbers that lose digits, deep nesting and too many values, which `JSON.parse` accepts. */
function checkJson(text: string): void {
  if (hasManyBlanks(text)) throw new SafetensorsError(`The header ${TOO_MANY_BLANKS}`);
  const names: Set<string>[] = [];
  let depth = 0, values = 0;
  const count = () => {
    if (++values > MAX_VALUES) throw new SafetensorsError(`The header has more than ${MAX_VALUES} values`);
  };
  const open = () => {
    if (++depth > MAX_DEPTH) {
      throw new SafetensorsError(`The header is nested deeper than ${MAX_DEPTH} levels`);
    }
  };
  visit(text, {
    onObjectBegin: () => {
      open();
      names.push(new Set());
    },
    onObjectEnd: () => {
      depth--;
      names.pop();
    },
    onArrayBegin: open,
    onArrayEnd: () => void depth--,
    onObjectProperty: (name) => {
      count();
      if (names.at(-1)?.has(name)) {
        throw new SafetensorsError(`The name ${quote(name)} occurs twice in the header`);
      }
      if (!name.isWellFormed()) throw new SafetensorsError(`The name ${quote(name)} is not Unicode text`);
      names.at(-1)?.add(name);
    },
    onLiteralValue: (value, offset, length, _line, _column, path) => {
      count();
      const [name, field] = path();
      if (typeof value !== "number" || field === undefined || name === METADATA) return;
      const digits = text.slice(offset, offset + length);
      if (!(/^(0|[1-9]\d*)$/.test(digits) && Number.isSafeInteger(value))) {
        const which = `${quote(String(field))} of ${quote(String(name))}`;
        const range = `from 0 to ${Number.MAX_SAFE_INTEGER}`;
        throw new SafetensorsError(
          `${which} must be whole numbers in plain digits ${range}: current value is ${digits.slice(0, 40)}`,
        );
      }
    },
  });
}
