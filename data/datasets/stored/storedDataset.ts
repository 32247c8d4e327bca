/**
 * Reading a data set out of object storage.
 *
 * @module
 */
import { permutation } from "../../../model/random.ts";
import { decodeImage } from "../../images/decodeImage.ts";
import { ImageError } from "../../images/imageFile.ts";
import { resizeRaw } from "../../images/resizeImage.ts";
import type { ObjectStore } from "../../objects/store.ts";
import type { ImagePreprocessing } from "../../images/preprocessing.ts";
import {
  type Dataset,
  DatasetDamagedError,
  DatasetError,
  type DatasetInfo,
  type ImageSet,
  type SplitName,
} from "../dataset.ts";
import { type InputShape } from "../../images/imageShape.ts";
import { checkMemory, DEFAULT_MAX_SPLIT_BYTES } from "../memoryLimit.ts";
import type { HeldOut, Manifest, Storage } from "./manifest.ts";
import { DatasetObjects } from "./datasetObjects.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Rows of the stored training block that belong to a split, in ascending order; null for all rows. */
async function rowsOf(
  parts: DatasetObjects,
  split: SplitName,
  stored: number,
  heldOut: HeldOut,
  signal?: AbortSignal,
): Promise<Uint32Array | null> {
  if (!heldOut) return null;
  if (heldOut.rows === undefined) {
    if (heldOut.count === 0) return null;
    const order = permutation({ seed: heldOut.seed, purpose: "held_out" }, stored);
    return (split === "test" ? order.subarray(0, heldOut.count) : order.subarray(heldOut.count)).toSorted();
  }
  const aside = await parts.rows(heldOut.rows, heldOut.count, stored, signal);
  if (split === "test") return aside;
  const kept = new Uint32Array(stored - aside.length);
  for (let row = 0, next = 0, at = 0; row < stored; row++) {
    if (row === aside[next]) next++;
    else kept[at++] = row;
  }
  return kept;
}

/** A split as rows that can be read one by one. */
interface Rows {
  readonly count: number;
  /** The label of a row; null without classes. */
  readonly label: ((row: number) => number) | null;
  /** All of them one behind the other, where they are stored in just that form; else null. */
  whole?(form: InputShape, signal?: AbortSignal): Promise<Bytes | null>;
  /** Every row in the form asked for, in any order. */
  all(form: InputShape, signal?: AbortSignal): AsyncGenerator<[row: number, pixels: Bytes]>;
  /** One row in the form asked for. */
  one(row: number, form: InputShape, rule: ImagePreprocessing): Promise<Bytes>;
}

/** A data set kept in object storage. */
export class StoredDataset implements Dataset {
  readonly info: DatasetInfo;
  readonly #parts: DatasetObjects;
  readonly #storage: Storage;
  readonly #maxBytes: number;

  /** @param maxBytes maximum memory for the decoded images of a split, in bytes */
  constructor(store: ObjectStore, { info, storage }: Manifest, maxBytes: number = DEFAULT_MAX_SPLIT_BYTES) {
    this.#maxBytes = maxBytes;
    this.#parts = new DatasetObjects(store, info.id);
    this.info = info;
    this.#storage = storage;
  }

  /** @inheritdoc */
  async load(split: SplitName, form: InputShape, signal?: AbortSignal): Promise<ImageSet> {
    checkMemory(this.info.splits[split].count, form, split, this.#maxBytes);
    const rows = await this.#rows(split, signal);
    const whole = await rows.whole?.(form, signal);
    const { count, label } = rows;
    const labels = label && Uint16Array.from({ length: count }, (_, row) => label(row));
    this.#checkLabels(labels);
    if (whole) return { ...form, count, pixels: whole, labels };
    const values = form.imageSize ** 2 * form.channels;
    const pixels = new Uint8Array(count * values);
    for await (const [row, picture] of rows.all(form, signal)) {
      signal?.throwIfAborted();
      pixels.set(picture, row * values);
    }
    return { ...form, count, pixels, labels };
  }

  /** @inheritdoc */
  async read(
    split: SplitName,
    indices: readonly number[],
    form: InputShape,
    rule: ImagePreprocessing = this.info,
  ): Promise<ImageSet> {
    const rows = await this.#rows(split);
    const values = form.imageSize ** 2 * form.channels;
    const pixels = new Uint8Array(indices.length * values);
    for (const [at, index] of indices.entries()) {
      checkIndex(index, rows.count, split);
      pixels.set(await rows.one(index, form, rule), at * values);
    }
    const labels = rows.label && Uint16Array.from(indices, (index) => rows.label!(index));
    this.#checkLabels(labels);
    return { ...form, count: indices.length, pixels, labels };
  }

  /** @throws {DatasetDamagedError} for a label without a class */
  #checkLabels(labels: Uint16Array | null): void {
    const { id, numClasses } = this.info;
    const wrong = labels?.find((label) => label >= numClasses);
    if (wrong === undefined) return;
    throw new DatasetDamagedError(id, `it has the label ${wrong}, but ${numClasses} classes`);
  }

  async #rows(split: SplitName, signal?: AbortSignal): Promise<Rows> {
    const storage = this.#storage;
    return storage.kind === "raw"
      ? await this.#rawRows(storage, split, signal)
      : await this.#packRows(storage, split, signal);
  }

  async #rawRows(
    storage: Extract<Storage, { kind: "raw" }>,
    split: SplitName,
    signal?: AbortSignal,
  ): Promise<Rows> {
    const { height, width, channels } = this.info as { height: number; width: number; channels: 1 | 3 };
    const parts = this.#parts;
    const found = split === "train" || storage.heldOut ? storage.train : storage.test;
    const block = found ?? { count: 0, images: "", labels: null };
    const some = found
      ? await rowsOf(parts, split, block.count, storage.heldOut, signal)
      : new Uint32Array(0);
    const count = some?.length ?? block.count;
    const stored = (row: number) => some ? some[row] : row;
    const size = height * width * channels;
    const all = await parts.labels(block, signal);
    const fits = (form: InputShape) =>
      form.imageSize === height && form.imageSize === width && form.channels === channels;
    const own = this.info;
    const shaped = (pixels: Bytes, form: InputShape, rule: ImagePreprocessing = own) =>
      fits(form) ? pixels : resizeRaw(pixels, { height, width, channels }, form, rule);
    return {
      count,
      label: all && ((row) => all[stored(row)]),
      whole: async (form, signal) =>
        some === null && fits(form) ? await parts.all(block.images, block.count * size, signal) : null,
      async *all(form, signal) {
        if (count === 0) return;
        const bytes = await parts.all(block.images, block.count * size, signal);
        for (let row = 0; row < count; row++) {
          const from = stored(row) * size;
          yield [row, await shaped(bytes.subarray(from, from + size), form)];
        }
      },
      one: async (row, form, rule) =>
        shaped(await parts.range(block.images, stored(row) * size, size), form, rule),
    };
  }

  async #packRows(
    storage: Extract<Storage, { kind: "pack" }>,
    split: SplitName,
    signal?: AbortSignal,
  ): Promise<Rows> {
    const parts = this.#parts;
    const index = await parts.index(storage.index, signal);
    const columns = storage.heldOut ? index.train : index[split];
    const chosen = await rowsOf(parts, split, columns.offsets.length, storage.heldOut, signal) ??
      Uint32Array.from({ length: columns.offsets.length }, (_, i) => i);
    const own = this.info;
    const decoded = async (row: number, bytes: Bytes, form: InputShape, rule: ImagePreprocessing = own) => {
      try {
        return await decodeImage(bytes, form, rule);
      } catch (error) {
        if (!(error instanceof ImageError)) throw error;
        throw new DatasetDamagedError(this.info.id, `image ${row} of '${split}' ${error.message}`, {
          cause: error,
        });
      }
    };
    const place = (row: number) => [columns.offsets[chosen[row]], columns.lengths[chosen[row]]] as const;
    return {
      count: chosen.length,
      label: columns.labels.length > 0 ? (row) => columns.labels[chosen[row]] : null,
      async *all(form, signal) {
        for (let row = 0; row < chosen.length; row += AT_ONCE) {
          const rows = Array.from({ length: Math.min(AT_ONCE, chosen.length - row) }, (_, i) => row + i);
          signal?.throwIfAborted();
          const pictures = await Promise.all(
            rows.map(async (row) => await decoded(row, await parts.range(storage.pack, ...place(row)), form)),
          );
          for (const [i, picture] of pictures.entries()) yield [row + i, picture];
        }
      },
      one: async (row, form, rule) =>
        await decoded(row, await parts.range(storage.pack, ...place(row)), form, rule),
    };
  }
}

/** Encoded images fetched and decoded side by side. */
const AT_ONCE = 16;

/** @throws {DatasetError} */
export function checkIndex(index: number, count: number, split: SplitName): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new DatasetError(
    `The split '${split}' has ${count} images: index ${index} must be a whole number from 0 to ${count - 1}`,
  );
}
