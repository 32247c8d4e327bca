/**
 * Safetensors files: named tensors with text metadata, read strictly and written as the official library does.
 *
 * @module
 */
import { ARRAYS, type Dtype, DTYPES, findNonFinite, type Tensor } from "./dtype.ts";
import {
  type HeaderOptions,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  METADATA,
  readHeader,
  SafetensorsError,
} from "./header.ts";

export type { Dtype, HeaderOptions, Tensor };
export { readHeader, SafetensorsError };

/** Named tensors and what is said of them. */
export interface Safetensors {
  /** By name, in the order of their bytes. */
  readonly tensors: Map<string, Tensor>;
  /** Text by key, as our checkpoints have the configuration in JSON under `config`. */
  readonly metadata: Record<string, string>;
}

/** What is taken. */
export interface ReadOptions extends HeaderOptions {
  /** Refuse NaN and infinities. */
  readonly finite?: boolean;
}

/**
 * Reads a safetensors file. The tensors are views of the file's bytes where these are aligned for it, and copies
 * elsewhere (files of ours are aligned).
 *
 * @param bytes the whole file
 * @throws {SafetensorsError} for every rule of the format that is broken, and past the limits
 * @example
 * ```ts
 * import { readSafetensors } from "./safetensors.ts";
 *
 * const { tensors, metadata } = readSafetensors(await Deno.readFile("tiny.safetensors"));
 * const config = JSON.parse(metadata.config);
 * const token = tensors.get("decoder.mask_token");
 * ```
 */
export function readSafetensors(bytes: Uint8Array<ArrayBuffer>, limits: ReadOptions = {}): Safetensors {
  const { tensors, metadata } = readHeader(bytes, bytes.length, limits);
  const read = new Map<string, Tensor>();
  for (const [name, { dtype, shape, begin, end }] of tensors) {
    const view = arrayOver(dtype, bytes, begin, end);
    const tensor = { dtype, shape, data: view } as Tensor;
    const wrong = limits.finite ? findNonFinite(tensor) : -1;
    if (wrong >= 0) {
      throw new SafetensorsError(`The tensor '${name}' must be finite: value ${wrong} is NaN or infinite`);
    }
    read.set(name, tensor);
  }
  return { tensors: read, metadata };
}

/**
 * Writes a safetensors file. The same tensors and metadata give the same bytes, in whatever order they come: formats
 * of larger alignment first, then by name; metadata by key; the header filled with spaces to a multiple of 8.
 *
 * @throws {SafetensorsError} when a tensor's data does not fit its dtype and shape, or the header grows past 8 MiB
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort(([a, { dtype: x }], [b, { dtype: y }]) =>
    DTYPES.indexOf(y) - DTYPES.indexOf(x) || compare(a, b)
  );
  // Built as text, member by member: an object would reorder names like "0" and lose "__proto__".
  const members: string[] = [];
  const about = Object.entries(metadata).sort(([a], [b]) => compare(a, b));
  if (about.length > 0) {
    members.push(`"${METADATA}":{${about.map(([key, value]) => `${json(key)}:${json(value)}`).join(",")}}`);
  }
  let size = 0;
  for (const [name, tensor] of sorted) {
    checkTensor(name, tensor);
    const { dtype, shape, data } = tensor;
    const offsets = [size, size += data.byteLength];
    members.push(`${json(name)}:${JSON.stringify({ dtype, shape, data_offsets: offsets })}`);
  }
  const header = new TextEncoder().encode(`{${members.join(",")}}`);
  const length = Math.ceil(header.length / 8) * 8;
  if (length > MAX_HEADER_BYTES) {
    throw new SafetensorsError(
      `The header must have at most ${MAX_HEADER_BYTES} bytes: it would have ${length}`,
    );
  }

  const file = new Uint8Array(LENGTH_BYTES + length + size);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.set(header, LENGTH_BYTES);
  file.fill(0x20, LENGTH_BYTES + header.length, LENGTH_BYTES + length);
  let at = LENGTH_BYTES + length;
  for (const [, { data }] of sorted) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

function arrayOver(dtype: Dtype, bytes: Uint8Array<ArrayBuffer>, begin: number, end: number): Tensor["data"] {
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
      `The tensor '${name}' of shape [${shape}] must have ${count} values: ${data.length} given`,
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
