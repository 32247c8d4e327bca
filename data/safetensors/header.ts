/**
 * The header of a safetensors file, and the checks of its tensors.
 *
 * A file has 8 bytes with the length of the header (little-endian), the header as JSON, and the bytes of the tensors.
 * The rules are those of the official reader (huggingface/safetensors, `README.md` "Format" and
 * `safetensors/src/tensor.rs`), with a lower limit for the size of the header. Unknown fields are refused, and numbers
 * must be plain digits that a JavaScript number represents exactly.
 *
 * @module
 */
import { ARRAYS, type Dtype, DTYPES } from "./dtype.ts";
import { quote, SafetensorsError } from "./error.ts";
import { LENGTH_BYTES, METADATA, parseHeader, readHeaderLength } from "./headerText.ts";

/** Type, shape and position of a tensor. */
export interface TensorInfo {
  readonly dtype: Dtype;
  /** Dimensions, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** Offset of the first byte in the file. */
  readonly begin: number;
  /** Offset of the byte after the last. */
  readonly end: number;
}

/** The content of a header. */
export interface SafetensorsHeader {
  /** By name, ordered by offset. */
  readonly tensors: Map<string, TensorInfo>;
  readonly metadata: Record<string, string>;
}

/**
 * Reads and checks the header of a file.
 *
 * @param bytes the file, or at least its first 8 + header length bytes
 * @param fileSize size of the whole file in bytes
 * @throws {SafetensorsError} for a file that violates a rule of the format
 */
export function readHeader(bytes: Uint8Array, fileSize: number = bytes.length): SafetensorsHeader {
  const header = parseHeader(bytes, fileSize);
  const { [METADATA]: metadata, ...entries } = header;
  const start = LENGTH_BYTES + readHeaderLength(bytes);
  const tensors = Object.entries(entries)
    .map(([name, entry]) => [name, parseTensor(name, entry, start)] as const)
    .sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let end = start;
  for (const [name, info] of tensors) {
    if (info.begin !== end) {
      const gap = info.begin > end
        ? `leaves a gap of ${info.begin - end}`
        : `overlaps another by ${end - info.begin}`;
      throw new SafetensorsError(
        `The tensor ${quote(name)} ${gap} bytes: its data must begin at ${end - start}`,
      );
    }
    end = info.end;
  }
  if (end !== fileSize) {
    throw new SafetensorsError(
      `The file must end after its last tensor, at ${end} bytes: it has ${fileSize} ` +
        `(${end > fileSize ? "it is truncated" : "more data follows"})`,
    );
  }
  return { tensors: new Map(tensors), metadata: checkMetadata(metadata) };
}

function parseTensor(name: string, entry: unknown, start: number): TensorInfo {
  const fail = (fault: string): never => {
    throw new SafetensorsError(`The tensor ${quote(name)} ${fault}`);
  };
  if (!isObject(entry)) return fail("must be an object with dtype, shape and data_offsets");
  const { dtype, shape, data_offsets: offsets, ...others } = entry;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) fail(`has the unknown field ${quote(unknown)}`);
  if (!isDtype(dtype)) {
    return fail(`must have one of the dtypes ${DTYPES.join(", ")}: current value is ${quote(dtype)}`);
  }
  if (!isNumbers(shape)) return fail(`must have a shape of whole numbers: current value is ${quote(shape)}`);
  if (!isNumbers(offsets) || offsets.length !== 2) {
    return fail(`must have data_offsets of two whole numbers: current value is ${quote(offsets)}`);
  }
  const [begin, end] = offsets;
  if (end < begin) fail(`must not end before it begins: current data_offsets are ${begin} and ${end}`);
  let size = 1;
  for (const dimension of [...shape, ARRAYS[dtype].BYTES_PER_ELEMENT]) {
    size *= dimension;
    if (!Number.isSafeInteger(size)) fail(`is too large: the product of its shape ${quote(shape)} overflows`);
  }
  if (end - begin !== size) {
    fail(
      `of ${dtype} and shape ${quote(shape)} must have ${size} bytes: its data_offsets have ${end - begin}`,
    );
  }
  return { dtype, shape, begin: start + begin, end: start + end };
}

function checkMetadata(metadata: unknown): Record<string, string> {
  if (metadata === undefined) return {};
  if (!isObject(metadata) || !Object.values(metadata).every((value) => typeof value === "string")) {
    throw new SafetensorsError(`${METADATA} must be an object whose values are strings`);
  }
  return metadata as Record<string, string>;
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => typeof item === "number");
}

function isDtype(value: unknown): value is Dtype {
  return (DTYPES as readonly unknown[]).includes(value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
