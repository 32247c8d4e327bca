/**
 * Files for uploads, with images of the data set `digits`.
 *
 * @module
 */
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import type { Bytes } from "../../data/bytes.ts";
import { drawDigit } from "../../data/datasets/builtIn/drawDigit.ts";
import { encodePng } from "../../data/images/encodePng.ts";

/** Encodes an IDX file: magic number, dimensions, data. */
export function idx(magic: number, dimensions: readonly number[], data: Uint8Array): Bytes {
  const file = new Uint8Array(4 * (1 + dimensions.length) + data.length);
  const view = new DataView(file.buffer);
  [magic, ...dimensions].forEach((word, i) => view.setUint32(4 * i, word));
  file.set(data, 4 * (1 + dimensions.length));
  return file;
}

/** Encodes an IDX file of big-endian signed integers. */
export function idxIntegers(
  magic: number,
  bytes: 1 | 2 | 4,
  values: readonly number[],
  columns?: number,
): Bytes {
  const data = new DataView(new ArrayBuffer(bytes * values.length));
  for (const [i, value] of values.entries()) {
    if (bytes === 1) data.setInt8(i, value);
    else if (bytes === 2) data.setInt16(2 * i, value);
    else data.setInt32(4 * i, value);
  }
  const dimensions = columns ? [values.length / columns, columns] : [values.length];
  return idx(magic, dimensions, new Uint8Array(data.buffer));
}

/** Encodes labels like QMNIST: class, series, writer, character, two class codes, position, 0. */
export const qmnistLabels = (classes: readonly number[]): Bytes =>
  idxIntegers(0xc02, 4, classes.flatMap((label) => [label, 4, 2000, 100, 48 + label, 30, 12, 0]), 8);

/** Encodes at least ten digits as two gzipped IDX files. Every class has an image. */
export function idxDigits(count: number, split: "train" | "test"): { images: Bytes; labels: Bytes } {
  // The first image of each class comes first, because an upload with an empty class is rejected.
  const drawn = Array.from({ length: 200 + count }, (_, index) => drawDigit(1, split, index));
  const first = Array.from({ length: 10 }, (_, label) => drawn.find((digit) => digit.label === label)!);
  const chosen = [...first, ...drawn].slice(0, count);
  const pixels = new Uint8Array(count * 784);
  chosen.forEach((digit, i) => pixels.set(digit.pixels, i * 784));
  return {
    images: new Uint8Array(gzipSync(idx(0x803, [count, 28, 28], pixels))),
    labels: new Uint8Array(gzipSync(idx(0x801, [count], Uint8Array.from(chosen, ({ label }) => label)))),
  };
}

/** Encodes a digit as PNG. */
export async function pngDigit(index: number): Promise<Bytes> {
  return await encodePng(drawDigit(1, "test", index).pixels, 28, 28, 1);
}

/** Creates a tar.gz. */
export async function tarGz(files: Readonly<Record<string, Bytes>>): Promise<Bytes> {
  const tar = pack();
  for (const [name, bytes] of Object.entries(files)) tar.entry({ name }, bytes as unknown as string);
  tar.finalize();
  return new Uint8Array(gzipSync(await buffer(tar as unknown as NodeJS.ReadableStream)));
}
