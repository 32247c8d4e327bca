/**
 * Stores uploaded IDX files.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";
import { resizeNote } from "../../images/preprocessing.ts";
import { DatasetError } from "../dataset.ts";
import { type IdxImageHeader, openIdxImages } from "../idx/images.ts";
import { type IdxLabels, readIdxLabels } from "../idx/labels.ts";
import { datasetKey, type Manifest } from "../stored/manifest.ts";
import { labelBytes, type RawBlock } from "../stored/storage.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { type HoldOut, holdOutShare, selectHoldOut } from "./holdOut.ts";
import type { DatasetUpload } from "./uploadOptions.ts";

/** The labels of an upload. */
interface UploadLabels {
  readonly train: IdxLabels | null;
  readonly test: IdxLabels | null;
  /** The label numbers of the classes, ascending. */
  readonly classes: readonly number[];
}

/**
 * Stores IDX files, which are checked while they are read.
 *
 * @throws {DatasetError} with the field that has the fault
 */
export async function storeIdx(upload: DatasetUpload): Promise<Manifest> {
  const { files: { train_images, test_images }, base, options, store, signal } = upload;
  checkFields(upload);
  const labels = await readLabels(upload);
  const train = await storeBlock(upload, labels, "train", train_images!);
  const test = test_images ? await storeBlock(upload, labels, "test", test_images, train.header) : null;
  const { height, width, channels } = train.header;
  const share = holdOutShare(options, test !== null);
  const trainingImages = { count: train.block.count, labels: labels.train && labels.train.values };
  const selected: HoldOut | null = share === 0
    ? null
    : await selectHoldOut(trainingImages, share, options, String);
  const heldOut = selected && {
    count: selected.rows.length,
    seed: options.seed ?? 0,
    rows: datasetKey(base.id, "held-out.rows"),
  };
  if (selected && heldOut) await store.put(heldOut.rows, new Uint8Array(selected.rows.buffer), { signal });
  const { classes } = labels;
  const imageBytes = height * width * channels + (labels.train ? labelBytes(classes.length) : 0);
  return {
    info: {
      ...base,
      format: "raw",
      height,
      width,
      channels,
      splits: {
        train: { count: train.block.count - (heldOut?.count ?? 0) },
        test: { count: heldOut?.count ?? test?.block.count ?? 0 },
      },
      labelled: labels.train !== null,
      numClasses: classes.length,
      classNames: classes.map(String),
      notes: [
        ...height === width ? [] : [`The images are not square (${width} x ${height}): ${resizeNote(base)}`],
        ...selected?.notes ?? [],
      ],
      size: (train.block.count + (test?.block.count ?? 0)) * imageBytes + (selected?.rows.byteLength ?? 0),
    },
    storage: { kind: "raw", train: train.block, test: test?.block ?? null, heldOut },
  };
}

/** @throws {DatasetError} for missing or unsupported fields */
function checkFields({ files, options }: DatasetUpload): void {
  const { train_images, train_labels, test_images, test_labels } = files;
  if (options.folders !== undefined && options.folders !== "auto") {
    throw new DatasetError("must be left out for IDX files, which have no folders", "folders");
  }
  if (!train_images) throw new DatasetError("is required (IDX images), or archive instead", "train_images");
  if (test_labels && !test_images) {
    throw new DatasetError("is required together with test_labels", "test_images");
  }
  if (test_images && Boolean(train_labels) !== Boolean(test_labels)) {
    const missing = train_labels ? "test_labels" : "train_labels";
    throw new DatasetError("is required, because the other images have labels", missing);
  }
}

async function readLabels({ files, signal }: DatasetUpload): Promise<UploadLabels> {
  const { train_labels, test_labels } = files;
  const train = train_labels ? await readIdxLabels(train_labels, signal) : null;
  const test = test_labels ? await readIdxLabels(test_labels, signal) : null;
  const classes = train?.distinct ?? [];
  checkTestLabels(classes, test);
  return { train, test, classes };
}

/** @throws {DatasetError} for a test label that no training image has */
function checkTestLabels(classes: readonly number[], test: IdxLabels | null): void {
  const trained = new Set(classes);
  const unknown = test?.distinct.find((label) => !trained.has(label));
  if (unknown === undefined) return;
  const listed = classes.length > 12 ? [...classes.slice(0, 12), "…"] : classes;
  throw new DatasetError(
    `must have only the labels of train_labels (${listed.join(", ")}): one is ${unknown}`,
    "test_labels",
  );
}

/** Stores the images and labels of a split. @param expected header of the training images */
async function storeBlock(
  { base, store, signal }: DatasetUpload,
  allLabels: UploadLabels,
  split: "train" | "test",
  file: UploadedFile,
  expected?: IdxImageHeader,
): Promise<{ header: IdxImageHeader; block: RawBlock }> {
  const { [split]: labels, classes } = allLabels;
  const { header, pixels } = await openIdxImages(file, signal);
  if (expected) checkEqualShape(header, expected, file.field);
  const { count } = header;
  if (labels && labels.values.length !== count) {
    await pixels.return(undefined);
    throw new DatasetError(
      `has ${labels.values.length} labels for the ${count} images of ${file.field}`,
      `${split}_labels`,
    );
  }
  const images = datasetKey(base.id, `${split}-images.raw`);
  await store.put(images, ReadableStream.from(pixels), { signal });
  if (!labels) return { header, block: { count, images, labels: null } };
  const key = datasetKey(base.id, `${split}-labels.raw`);
  await store.put(key, ReadableStream.from(encodeLabels(labels, classes)), { signal });
  return { header, block: { count, images, labels: key, labelBytes: labelBytes(classes.length) } };
}

function checkEqualShape(header: IdxImageHeader, expected: IdxImageHeader, field: string): void {
  for (const name of ["height", "width", "channels"] as const) {
    if (header[name] === expected[name]) continue;
    throw new DatasetError(
      `must have ${name} ${expected[name]} like train_images: it has ${header[name]}`,
      field,
    );
  }
}

/** Labels that are encoded together. */
const BLOCK_LABELS = 65_536;

/** Encodes each label as the index of its class, little-endian. */
async function* encodeLabels({ values }: IdxLabels, classes: readonly number[]): AsyncGenerator<Bytes> {
  const indices = new Map(classes.map((label, index) => [label, index]));
  const bytes = labelBytes(classes.length);
  for (let start = 0; start < values.length; start += BLOCK_LABELS) {
    const labels = values.subarray(start, start + BLOCK_LABELS);
    const block = new DataView(new ArrayBuffer(labels.length * bytes));
    for (let i = 0; i < labels.length; i++) {
      const index = indices.get(labels[i])!;
      if (bytes === 1) block.setUint8(i, index);
      else block.setUint16(2 * i, index, true);
    }
    yield new Uint8Array(block.buffer);
    await yieldToEventLoop();
  }
}
