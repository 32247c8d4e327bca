/**
 * A stored split whose images can be read one by one.
 *
 * @module
 */
import { permutation } from "../../../model/random.ts";
import type { Bytes } from "../../bytes.ts";
import type { InputShape } from "../../images/imageShape.ts";
import type { ImagePreprocessing } from "../../images/preprocessing.ts";
import type { SplitName } from "../dataset.ts";
import type { DatasetObjects } from "./datasetObjects.ts";
import type { HeldOut } from "./storage.ts";

/** The images of a split. A row is the index of an image. */
export interface StoredSplit {
  readonly count: number;
  /** Returns the label of a row; null without labels. */
  readonly label: ((row: number) => number) | null;
  /** Reads all images in one request, if they are stored in the input shape. Returns null otherwise. */
  readBlock?(input: InputShape, signal?: AbortSignal): Promise<Bytes | null>;
  /** Yields every image in the input shape, in any order. */
  readAll(input: InputShape, signal?: AbortSignal): AsyncGenerator<[row: number, pixels: Bytes]>;
  /** Reads an image in the input shape. */
  readOne(row: number, input: InputShape, preprocessing: ImagePreprocessing): Promise<Bytes>;
}

/**
 * Returns the rows of the stored training images that belong to a split, ascending. Null means all rows.
 *
 * @param total number of stored training images
 * @throws {DatasetDamagedError}
 */
export async function splitRows(
  objects: DatasetObjects,
  split: SplitName,
  total: number,
  heldOut: HeldOut,
  signal?: AbortSignal,
): Promise<Uint32Array | null> {
  if (!heldOut) return null;
  if (heldOut.rows === undefined) {
    if (heldOut.count === 0) return null;
    const order = permutation({ seed: heldOut.seed, purpose: "held_out" }, total);
    return (split === "test" ? order.subarray(0, heldOut.count) : order.subarray(heldOut.count)).toSorted();
  }
  const testRows = await objects.readHeldOutRows(heldOut.rows, heldOut.count, total, signal);
  if (split === "test") return testRows;
  const trainRows = new Uint32Array(total - testRows.length);
  for (let row = 0, nextTest = 0, nextTrain = 0; row < total; row++) {
    if (row === testRows[nextTest]) nextTest++;
    else trainRows[nextTrain++] = row;
  }
  return trainRows;
}
