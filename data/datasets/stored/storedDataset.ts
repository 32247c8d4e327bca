/**
 * Reads data sets from object storage.
 *
 * @module
 */
import { inputLength, type InputShape } from "../../images/imageShape.ts";
import type { ImagePreprocessing } from "../../images/preprocessing.ts";
import type { ObjectStore } from "../../objects/store.ts";
import {
  checkIndex,
  type Dataset,
  DatasetDamagedError,
  type DatasetInfo,
  type ImageSet,
  type SplitName,
} from "../dataset.ts";
import { checkMemory, DEFAULT_MAX_SPLIT_BYTES } from "../memoryLimit.ts";
import { DatasetObjects } from "./datasetObjects.ts";
import type { Manifest } from "./manifest.ts";
import { openPackSplit } from "./packSplit.ts";
import { openRawSplit } from "./rawSplit.ts";
import type { DatasetStorage } from "./storage.ts";
import type { StoredSplit } from "./storedSplit.ts";

/** A data set in object storage. */
export class StoredDataset implements Dataset {
  readonly info: DatasetInfo;
  readonly #objects: DatasetObjects;
  readonly #storage: DatasetStorage;
  readonly #maxBytes: number;

  /** @param maxBytes maximum memory for the decoded images of a split, in bytes */
  constructor(store: ObjectStore, { info, storage }: Manifest, maxBytes: number = DEFAULT_MAX_SPLIT_BYTES) {
    this.#maxBytes = maxBytes;
    this.#objects = new DatasetObjects(store, info.id);
    this.info = info;
    this.#storage = storage;
  }

  /** @inheritdoc */
  async load(split: SplitName, input: InputShape, signal?: AbortSignal): Promise<ImageSet> {
    checkMemory(this.info.splits[split].count, input, split, this.#maxBytes);
    const stored = await this.#openSplit(split, signal);
    const block = await stored.readBlock?.(input, signal);
    const { count, label } = stored;
    const labels = label && Uint16Array.from({ length: count }, (_, row) => label(row));
    this.#checkLabels(labels);
    if (block) return { ...input, count, pixels: block, labels };
    const imageLength = inputLength(input);
    const pixels = new Uint8Array(count * imageLength);
    for await (const [row, image] of stored.readAll(input, signal)) {
      signal?.throwIfAborted();
      pixels.set(image, row * imageLength);
    }
    return { ...input, count, pixels, labels };
  }

  /** @inheritdoc */
  async read(
    split: SplitName,
    indices: readonly number[],
    input: InputShape,
    preprocessing: ImagePreprocessing = this.info,
  ): Promise<ImageSet> {
    const { count, label, readOne } = await this.#openSplit(split);
    const imageLength = inputLength(input);
    const pixels = new Uint8Array(indices.length * imageLength);
    for (const [i, index] of indices.entries()) {
      checkIndex(index, count, split);
      pixels.set(await readOne(index, input, preprocessing), i * imageLength);
    }
    const labels = label && Uint16Array.from(indices, label);
    this.#checkLabels(labels);
    return { ...input, count: indices.length, pixels, labels };
  }

  async #openSplit(split: SplitName, signal?: AbortSignal): Promise<StoredSplit> {
    const storage = this.#storage;
    return storage.kind === "raw"
      ? await openRawSplit(this.#objects, this.info, storage, split, signal)
      : await openPackSplit(this.#objects, this.info, storage, split, signal);
  }

  /** @throws {DatasetDamagedError} for a label without a class */
  #checkLabels(labels: Uint16Array | null): void {
    const { id, numClasses } = this.info;
    const invalid = labels?.find((label) => label >= numClasses);
    if (invalid === undefined) return;
    throw new DatasetDamagedError(id, `it has the label ${invalid}, but ${numClasses} classes`);
  }
}
