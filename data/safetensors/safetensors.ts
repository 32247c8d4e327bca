/**
 * Reads and writes safetensors files: named tensors with text metadata. Files have the bytes that the official library
 * would write.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { ARRAYS, type Dtype, DTYPES, findNonFinite, type Tensor } from "./dtype.ts";
import { SafetensorsError } from "./error.ts";
import { readHeader } from "./header.ts";
import { LENGTH_BYTES, MAX_HEADER_BYTES, METADATA } from "./headerText.ts";

export type { Tensor };
export { readHeader, SafetensorsError };

/** The content of a file. */
export interface Safetensors {
  /** By name, ordered by offset. */
  readonly tensors: Map<string, Tensor>;
  /** Text by key. Checkpoints have their configuration as JSON in `config`. */
  readonly metadata: Record<string, string>;
}

/** Options of {@linkcode readSafetensors}. */
export interface ReadOptions {
  /** Refuse NaN and infinities. @default false */
  readonly finite?: boolean;
}

/**
 * Reads a safetensors file. Tensors are views of the file's bytes if these are aligned, as in files of
 * {@linkcode writeSafetensors}, and copies otherwise.
 *
 * @param bytes the whole file
 * @throws {SafetensorsError} for a file that violates a rule of the format or an option
 * @example
 * ```ts
 * import { readSafetensors } from "./safetensors.ts";
 *
 * const { tensors, metadata } = readSafetensors(await Deno.readFile("tiny.safetensors"));
 * const config = JSON.parse(metadata.config);
 * const token = tensors.get("decoder.mask_token");
 * ```
 */
export function readSafetensors(bytes: Bytes, options: ReadOptions = {}): Safetensors {
  const { tensors, metadata } = readHeader(bytes);
  const read = new Map<string, Tensor>();
  for (const [name, { dtype, shape, begin, end }] of tensors) {
    const view = arrayOver(dtype, bytes, begin, end);
    const tensor = { dtype, shape, data: view } as Tensor;
    const invalid = options.finite ? findNonFinite(tensor) : -1;
    if (invalid >= 0) {
      throw new SafetensorsError(`The tensor '${name}' must be finite: value ${invalid} is NaN or infinite`);
    }
    read.set(name, tensor);
  }
  return { tensors: read, metadata };
}

/** A file to write. */
export interface SafetensorsFile {
  /** Size in bytes. */
  readonly size: number;
  /** Yields the bytes in chunks of at most 1 MiB. The tensors are read when their bytes are yielded. */
  chunks(): Iterable<Bytes>;
}

/** Maximum size of a chunk of a file, in bytes. */
const CHUNK_BYTES = 2 ** 20;

/**
 * Lays out a safetensors file without copying the tensors. The bytes do not depend on the order of the arguments:
 * tensors are sorted by alignment, largest first, then by name, and metadata by key. The header is padded with spaces to
 * a multiple of 8 bytes.
 *
 * @throws {SafetensorsError} for data that does not match its dtype and shape, and for a header of more than 8 MiB
 */
export function safetensorsFile(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsFile {
  const sorted = [...tensors].sort(([a, { dtype: x }], [b, { dtype: y }]) =>
    DTYPES.indexOf(y) - DTYPES.indexOf(x) || compare(a, b)
  );
  // The members are text, because an object would reorder names such as "0" and lose "__proto__".
  const members: string[] = [];
  const sortedMetadata = Object.entries(metadata).sort(([a], [b]) => compare(a, b));
  if (sortedMetadata.length > 0) {
    members.push(
      `"${METADATA}":{${sortedMetadata.map(([key, value]) => `${json(key)}:${json(value)}`).join(",")}}`,
    );
  }
  let size = 0;
  for (const [name, tensor] of sorted) {
    checkTensor(name, tensor);
    const { dtype, shape, data } = tensor;
    const offsets = [size, size += data.byteLength];
    members.push(`${json(name)}:${JSON.stringify({ dtype, shape, data_offsets: offsets })}`);
  }
  const text = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(text.length / 8) * 8;
  if (length > MAX_HEADER_BYTES) {
    throw new SafetensorsError(
      `The header must have at most ${MAX_HEADER_BYTES} bytes: it would have ${length}`,
    );
  }
  const header = new Uint8Array(LENGTH_BYTES + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(text, LENGTH_BYTES);
  return {
    size: header.length + size,
    chunks: () => chunksOf(header, sorted.map(([, { data }]) => data), header.length + size),
  };
}

/** Yields the bytes of arrays in chunks of equal size. They are copies, because files refuse memory that threads share. */
function* chunksOf(header: Bytes, arrays: readonly Tensor["data"][], size: number): Generator<Bytes, void> {
  let rest = size, chunk = new Uint8Array(Math.min(CHUNK_BYTES, rest)), filled = 0;
  for (const { buffer, byteOffset, byteLength } of [header, ...arrays]) {
    for (let offset = 0; offset < byteLength;) {
      const length = Math.min(byteLength - offset, chunk.length - filled);
      chunk.set(new Uint8Array(buffer, byteOffset + offset, length), filled);
      offset += length;
      filled += length;
      if (filled < chunk.length) continue;
      yield chunk;
      rest -= filled;
      filled = 0;
      chunk = new Uint8Array(Math.min(CHUNK_BYTES, rest));
    }
  }
}

/**
 * Writes a safetensors file into memory; see {@linkcode safetensorsFile}.
 *
 * @throws {SafetensorsError}
 * @example
 * ```ts
 * import { writeSafetensors } from "./safetensors.ts";
 *
 * const bias = { dtype: "F32", shape: [3], data: Float32Array.of(0, 0.5, 1) } as const;
 * await Deno.writeFile("tiny.safetensors", writeSafetensors(new Map([["head.bias", bias]]), { epoch: "3" }));
 * ```
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Bytes {
  const { size, chunks } = safetensorsFile(tensors, metadata), file = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks()) {
    file.set(chunk, offset);
    offset += chunk.length;
  }
  return file;
}

function arrayOver(dtype: Dtype, bytes: Bytes, begin: number, end: number): Tensor["data"] {
  const ArrayType = ARRAYS[dtype];
  const count = (end - begin) / ArrayType.BYTES_PER_ELEMENT;
  const offset = bytes.byteOffset + begin;
  return offset % ArrayType.BYTES_PER_ELEMENT === 0
    ? new ArrayType(bytes.buffer, offset, count)
    : new ArrayType(bytes.slice(begin, end).buffer);
}

function checkTensor(name: string, { dtype, shape, data }: Tensor): void {
  if (name === METADATA) throw new SafetensorsError(`A tensor cannot be named '${METADATA}'`);
  if (!DTYPES.includes(dtype)) {
    throw new SafetensorsError(`The tensor '${name}' has the unknown dtype '${dtype}'`);
  }
  if (!(data instanceof ARRAYS[dtype])) {
    throw new SafetensorsError(`The tensor '${name}' of ${dtype} must be a ${ARRAYS[dtype].name}`);
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new SafetensorsError(`The tensor '${name}' must have a shape of whole numbers: it is [${shape}]`);
  }
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== data.length) {
    throw new SafetensorsError(
      `The tensor '${name}' of shape [${shape}] must have ${count} values: it has ${data.length}`,
    );
  }
}

function json(text: string): string {
  if (typeof text !== "string" || !text.isWellFormed()) {
    throw new SafetensorsError(`Names and metadata must be Unicode text: ${JSON.stringify(text)}`);
  }
  return JSON.stringify(text);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
