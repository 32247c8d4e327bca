/**
 * The layout of a safetensors file that is written: its header, and the order of its tensors.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { ARRAYS, type Dtype, DTYPES, type Tensor } from "./dtype.ts";
import { SafetensorsError } from "./error.ts";
import { LENGTH_BYTES, MAX_HEADER_BYTES, METADATA } from "./headerText.ts";

/** Name, type and shape of a tensor to write. */
export interface TensorSpec {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
}

/** The layout of a file. */
export interface SafetensorsLayout<Spec extends TensorSpec = TensorSpec> {
  /** The bytes before the first tensor. */
  readonly header: Bytes;
  /** The tensors in the order of the file. */
  readonly tensors: readonly Spec[];
  /** Size of the whole file in bytes. */
  readonly size: number;
}

/**
 * Lays out a file as the official library does. The layout does not depend on the order of the arguments: tensors are
 * sorted by alignment, largest first, then by name, and metadata by key. The header is padded with spaces to a multiple
 * of 8 bytes.
 *
 * @throws {SafetensorsError} for a wrong name, type or shape, and for a header of more than 8 MiB
 */
export function layoutSafetensors<Spec extends TensorSpec>(
  tensors: readonly Spec[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout<Spec> {
  const sorted = [...tensors].sort((a, b) =>
    DTYPES.indexOf(b.dtype) - DTYPES.indexOf(a.dtype) || compare(a.name, b.name)
  );
  return layoutInOrder(sorted, metadata);
}

/**
 * Lays out a file whose tensors have the given order, which readers of the format accept. All tensors must have the same
 * type, so that their values are aligned.
 *
 * @throws {SafetensorsError} as {@linkcode layoutSafetensors}
 */
export function layoutInOrder<Spec extends TensorSpec>(
  tensors: readonly Spec[],
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout<Spec> {
  // The members are text, because an object would reorder names such as "0" and lose "__proto__".
  const members: string[] = [];
  const sortedMetadata = Object.entries(metadata).sort(([a], [b]) => compare(a, b));
  if (sortedMetadata.length > 0) {
    members.push(
      `"${METADATA}":{${sortedMetadata.map(([key, value]) => `${json(key)}:${json(value)}`).join(",")}}`,
    );
  }
  let size = 0;
  for (const spec of tensors) {
    checkSpec(spec);
    const { name, dtype, shape } = spec;
    const offsets = [size, size += countOf(shape) * ARRAYS[dtype].BYTES_PER_ELEMENT];
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
  return { header, tensors, size: header.length + size };
}

/** Checks that the values of a tensor have its type and shape. @throws {SafetensorsError} */
export function checkData({ name, dtype, shape }: TensorSpec, data: Tensor["data"]): void {
  if (!(data instanceof ARRAYS[dtype])) {
    throw new SafetensorsError(`The tensor '${name}' of ${dtype} must be a ${ARRAYS[dtype].name}`);
  }
  if (countOf(shape) !== data.length) {
    throw new SafetensorsError(
      `The tensor '${name}' of shape [${shape}] must have ${countOf(shape)} values: it has ${data.length}`,
    );
  }
}

/** Maximum size of a chunk of a file, in bytes. */
const CHUNK_BYTES = 2 ** 20;

/**
 * Yields the bytes of a file in chunks of at most 1 MiB. They are copies, because memory that
 * threads share cannot be written to a file.
 */
export function* fileChunks(
  { header, size }: SafetensorsLayout,
  arrays: Iterable<Tensor["data"]>,
): Generator<Bytes, void> {
  const chunker = new Chunker(size);
  yield* chunker.add(header);
  for (const array of arrays) yield* chunker.add(array);
}

/**
 * Yields the bytes of a file whose tensors are made one after the other, so that at most one is in memory.
 *
 * @param read returns the values of a tensor
 * @throws {SafetensorsError} for values of another type or number
 */
export async function* streamedChunks<Spec extends TensorSpec>(
  { header, tensors, size }: SafetensorsLayout<Spec>,
  read: (spec: Spec) => Promise<Tensor["data"]>,
): AsyncGenerator<Bytes, void> {
  const chunker = new Chunker(size);
  yield* chunker.add(header);
  for (const spec of tensors) {
    const data = await read(spec);
    checkData(spec, data);
    yield* chunker.add(data);
  }
}

/** Splits bytes into chunks of equal size. The last one may be smaller. */
class Chunker {
  #rest: number;
  #chunk: Bytes;
  #filled = 0;

  /** @param size number of all bytes */
  constructor(size: number) {
    this.#rest = size;
    this.#chunk = new Uint8Array(Math.min(CHUNK_BYTES, size));
  }

  /** Adds bytes, and yields the chunks that are full. */
  *add({ buffer, byteOffset, byteLength }: Tensor["data"]): Generator<Bytes, void> {
    for (let offset = 0; offset < byteLength;) {
      const chunk = this.#chunk, length = Math.min(byteLength - offset, chunk.length - this.#filled);
      chunk.set(new Uint8Array(buffer, byteOffset + offset, length), this.#filled);
      offset += length;
      this.#filled += length;
      if (this.#filled < chunk.length) continue;
      yield chunk;
      this.#rest -= this.#filled;
      this.#filled = 0;
      this.#chunk = new Uint8Array(Math.min(CHUNK_BYTES, this.#rest));
    }
  }
}

function checkSpec({ name, dtype, shape }: TensorSpec): void {
  if (name === METADATA) throw new SafetensorsError(`A tensor cannot be named '${METADATA}'`);
  if (!DTYPES.includes(dtype)) {
    throw new SafetensorsError(`The tensor '${name}' has the unknown dtype '${dtype}'`);
  }
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    throw new SafetensorsError(`The tensor '${name}' must have a shape of whole numbers: it is [${shape}]`);
  }
}

function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
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
