/**
 * Uploads of IDX files.
 *
 * @module
 */
import { DatasetError } from "./dataset.ts";
import type { UploadedFile } from "./gzip.ts";
import { type IdxImages, openIdxImages, readIdxLabels } from "./idx.ts";
import { datasetKey, type RawBlock, type StoredDataset } from "./stored.ts";
import { heldOutOf, splitsOf, type Upload } from "./uploaded.ts";

/**
 * Stores IDX files block by block, checking them as they pass.
 *
 * @throws {DatasetError} naming the field that is wrong
 */
export async function fromIdx({ parts, base, options, store, signal }: Upload): Promise<StoredDataset> {
  const { train_images, train_labels, test_images, test_labels } = parts;
  if (!train_images) {
    throw new DatasetError("must be given (IDX pictures), or archive instead", "train_images");
  }
  if (test_labels && !test_images) throw new DatasetError("must be given beside test_labels", "test_images");
  if (test_images && Boolean(train_labels) !== Boolean(test_labels)) {
    const missing = train_labels ? "test_labels" : "train_labels";
    throw new DatasetError("must be given, as the other pictures have labels", missing);
  }
  const labels = {
    train: train_labels ? await readIdxLabels(train_labels, signal) : null,
    test: test_labels ? await readIdxLabels(test_labels, signal) : null,
  };
  const numClasses = labels.train ? checkLabels(labels.train, labels.test) : 0;
  let first: IdxImages | undefined;
  const block = async (split: "train" | "test", file: UploadedFile): Promise<RawBlock> => {
    const { header, pixels } = await openIdxImages(file, signal);
    first ??= header;
    checkAlike(header, first, file.field);
    const own = labels[split];
    if (own && own.length !== header.count) {
      await pixels.return(undefined);
      throw new DatasetError(
        `has ${own.length} labels for the ${header.count} pictures of ${file.field}`,
        `${split}_labels`,
      );
    }
    const images = datasetKey(base.id, `${split}-images.raw`);
    await store.put(images, ReadableStream.from(pixels), { signal });
    if (!own) return { count: header.count, images, labels: null };
    const key = datasetKey(base.id, `${split}-labels.raw`);
    await store.put(key, own, { signal });
    return { count: header.count, images, labels: key };
  };
  const train = await block("train", train_images);
  const test = test_images ? await block("test", test_images) : null;
  const { height, width, channels } = first!;
  const heldOut = heldOutOf(options, train.count, test !== null);
  const pictures = train.count + (test?.count ?? 0);
  return {
    info: {
      ...base,
      format: "raw",
      height,
      width,
      channels,
      splits: splitsOf(train.count, test?.count ?? 0, heldOut),
      labelled: labels.train !== null,
      numClasses,
      classNames: Array.from({ length: numClasses }, (_, label) => String(label)),
      size: pictures * height * width * channels + (labels.train ? pictures : 0),
    },
    storage: { kind: "raw", train, test, heldOut },
  };
}

function checkAlike(header: IdxImages, first: IdxImages, field: string): void {
  for (const side of ["height", "width", "channels"] as const) {
    if (header[side] === first[side]) continue;
    throw new DatasetError(`must have ${side} ${first[side]} as train_images: it has ${header[side]}`, field);
  }
}

/** Labels are 0 to classes - 1, and each class has a picture to train on. @returns the number of classes */
function checkLabels(train: Uint8Array, test: Uint8Array | null): number {
  const seen = new Set(train);
  const classes = train.reduce((most, label) => Math.max(most, label), 0) + 1;
  for (let label = 0; label < classes; label++) {
    if (seen.has(label)) continue;
    throw new DatasetError(
      `must use every label from 0 to ${classes - 1}: no picture has label ${label}`,
      "train_labels",
    );
  }
  const unknown = test?.find((label) => label >= classes);
  if (unknown !== undefined) {
    throw new DatasetError(
      `must be 0 to ${classes - 1}, the labels of train_labels: one is ${unknown}`,
      "test_labels",
    );
  }
  return classes;
}
