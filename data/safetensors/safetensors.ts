/**
 * Reads and writes safetensors files: named tensors with text metadata. Files have the bytes that the official library
 * would write.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { ARRAYS, type Dtype, findNonFinite, type Tensor } from "./dtype.ts";
import { SafetensorsError } from "./error.ts";
import { readHeader } from "./header.ts";
import { checkData, fileChunks, layoutSafetensors } from "./layout.ts";

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

/**
 * Lays out a safetensors file without copying the tensors; see {@linkcode layoutSafetensors}.
 *
 * @throws {SafetensorsError} for data that does not match its dtype and shape, and for a header of more than 8 MiB
 */
export function safetensorsFile(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsFile {
  const specs = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const layout = layoutSafetensors(specs, metadata);
  for (const spec of specs) checkData(spec, tensors.get(spec.name)!.data);
  const arrays = layout.tensors.map(({ name }) => tensors.get(name)!.data);
  return { size: layout.size, chunks: () => fileChunks(layout, arrays) };
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
