/**
 * The header of a safetensors file, and everything a file is refused for.
 *
 * The format: 8 bytes header length (little-endian), the header as JSON, the tensors' bytes. Rules as in the official
 * reader (huggingface/safetensors, `README.md` "Format" and `safetensors/src/tensor.rs`), with a lower cap on the
 * header, unknown fields refused, and numbers only as plain digits that a JavaScript number holds exactly.
 *
 * @module
 */
import { visit } from "jsonc-parser";
import { ARRAYS, type Dtype, DTYPES } from "./dtype.ts";

/** Most bytes of a header, read or written: 4,096 class names of 255 characters of any script fit in. */
export const MAX_HEADER_BYTES = 8 * 1024 * 1024;

/** Bytes of the header's length at the file's start. */
export const LENGTH_BYTES = 8;

/** Name in the header that is no tensor's. */
export const METADATA = "__metadata__";

/** Objects and arrays inside one another: the header, a tensor, its shape. */
const MAX_DEPTH = 3;

/** A file that is no safetensors file, or one that is not taken; the message names the cause. */
export class SafetensorsError extends Error {
  /** Always this. */
  override readonly name = "SafetensorsError";
}

/** Where a tensor lies. */
export interface TensorInfo {
  /** Number format. */
  readonly dtype: Dtype;
  /** Sizes, outermost first; empty for a single value. */
  readonly shape: readonly number[];
  /** First byte, counted from the file's start. */
  readonly begin: number;
  /** The byte after the last. */
  readonly end: number;
}

/** What a header says. */
export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly tensors: Map<string, TensorInfo>;
  /** Text by key. */
  readonly metadata: Record<string, string>;
}

/** What is taken. */
export interface HeaderOptions {
  /** Most bytes of the header; 8 MiB when not given. */
  readonly maxHeaderBytes?: number;
  /** Number formats taken; all of {@linkcode DTYPES} when not given. */
  readonly dtypes?: readonly Dtype[];
}

/**
 * Reads and checks the header of a file, of which only the beginning needs to be there.
 *
 * @param bytes the file, or at least its first 8 + header length bytes
 * @param fileSize bytes of the whole file
 * @throws {SafetensorsError} for every rule of the format that is broken
 */
export function readHeader(
  bytes: Uint8Array,
  fileSize: number = bytes.length,
  limits: HeaderOptions = {},
): SafetensorsHeader {
  const text = headerText(bytes, fileSize, limits.maxHeaderBytes ?? MAX_HEADER_BYTES);
  checkJson(text);
  const { [METADATA]: metadata, ...entries } = parse(text);
  const start = LENGTH_BYTES + headerLength(bytes);
  const tensors = Object.entries(entries)
    .map(([name, entry]) => [name, tensorInfo(name, entry, start, limits.dtypes ?? DTYPES)] as const)
    .sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = start;
  for (const [name, info] of tensors) {
    if (info.begin !== end) {
      const gap = info.begin > end
        ? `leaves a hole of ${info.begin - end}`
        : `overlaps another by ${end - info.begin}`;
      throw new SafetensorsError(
        `The tensor ${quote(name)} ${gap} bytes: its data must begin at ${end - start}`,
      );
    }
    end = info.end;
  }
  if (end !== fileSize) {
    throw new SafetensorsError(
      `The file must end where its last tensor does, after ${end} bytes: it has ${fileSize} ` +
        `(${end > fileSize ? "cut off" : "something follows"})`,
    );
  }
  return { tensors: new Map(tensors), metadata: checkMetadata(metadata) };
}

function headerLength(bytes: Uint8Array): number {
  // At most 2^64, of which numbers past 2^53 are inexact, but all far above the cap.
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

function headerText(bytes: Uint8Array, fileSize: number, most: number): string {
  if (bytes.length < LENGTH_BYTES) {
    throw new SafetensorsError(`A safetensors file must have at least 8 bytes: this one has ${fileSize}`);
  }
  const length = headerLength(bytes);
  if (length > most) {
    if (isPickle(bytes)) {
      throw new SafetensorsError(
        "This is a pickle (.pt, .pth or .bin), which is never read: save it as safetensors",
      );
    }
    throw new SafetensorsError(`The header must have at most ${most} bytes: the file says ${length}`);
  }
  if (LENGTH_BYTES + length > fileSize) {
    throw new SafetensorsError(`The header of ${length} bytes goes past the file's end at ${fileSize}`);
  }
  if (LENGTH_BYTES + length > bytes.length) {
    throw new SafetensorsError(
      `The header of ${length} bytes is not whole: ${bytes.length - LENGTH_BYTES} are there`,
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

/** Begins as torch.save's zip archives and plain pickles do; so may a header's length, but only a short one. */
function isPickle(bytes: Uint8Array): boolean {
  return (bytes[0] === 0x50 && bytes[1] === 0x4b) || (bytes[0] === 0x80 && bytes[1] <= 5);
}

/** What JSON.parse would swallow: names that occur twice, numbers that lose digits, nesting without end. */
function checkJson(text: string): void {
  const names: Set<string>[] = [];
  let depth = 0;
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
      if (names.at(-1)?.has(name)) {
        throw new SafetensorsError(`The name ${quote(name)} occurs twice in the header`);
      }
      if (!name.isWellFormed()) throw new SafetensorsError(`The name ${quote(name)} is not Unicode text`);
      names.at(-1)?.add(name);
    },
    onLiteralValue: (value, offset, length, _line, _column, path) => {
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

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SafetensorsError(`The header is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function tensorInfo(name: string, entry: unknown, start: number, dtypes: readonly Dtype[]): TensorInfo {
  const fail = (what: string): never => {
    throw new SafetensorsError(`The tensor ${quote(name)} ${what}`);
  };
  if (!isObject(entry)) return fail("must be an object with dtype, shape and data_offsets");
  const { dtype, shape, data_offsets: offsets, ...others } = entry;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) fail(`has the unknown field ${quote(unknown)}`);
  if (!isDtype(dtype) || !dtypes.includes(dtype)) {
    return fail(`must be of a dtype among ${dtypes.join(", ")}: current value is ${quote(dtype)}`);
  }
  if (!isNumbers(shape)) return fail(`must have a shape of whole numbers: current value is ${quote(shape)}`);
  if (!isNumbers(offsets) || offsets.length !== 2) {
    return fail(`must have data_offsets of two whole numbers: current value is ${quote(offsets)}`);
  }
  const [begin, end] = offsets;
  if (end < begin) fail(`must not end before it begins: current data_offsets are ${begin} and ${end}`);
  let size = 1;
  for (const factor of [...shape, ARRAYS[dtype].BYTES_PER_ELEMENT]) {
    size *= factor;
    if (!Number.isSafeInteger(size)) fail(`is too large: the product of its shape ${quote(shape)} overflows`);
  }
  if (end - begin !== size) {
    fail(
      `of ${dtype} and shape ${quote(shape)} must have ${size} bytes: its data_offsets hold ${end - begin}`,
    );
  }
  return { dtype, shape, begin: start + begin, end: start + end };
}

function checkMetadata(metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) {
    throw new SafetensorsError(`${METADATA} must be an object whose values are all text`);
  }
  return metadata as Record<string, string>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

function isDtype(value: unknown): value is Dtype {
  return (DTYPES as readonly unknown[]).includes(value);
}

/** A value from the file in an error message: short, and without control characters. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length > 80 ? text.slice(0, 80) + "…" : text;
}
