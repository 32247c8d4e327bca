/**
 * Uploads of IDX files.
 *
 * @module
 */
import { yieldToEventLoop } from "../../eventLoop.ts";
import { resizeNote } from "../../images/preprocessing.ts";
import { DatasetError } from "../dataset.ts";
import { selectHoldOut } from "./holdOut.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { type IdxImageHeader, openIdxImages } from "../idx/images.ts";
import { type IdxLabels, readIdxLabels } from "../idx/labels.ts";
import { datasetKey, labelBytes, type Manifest, type RawBlock } from "../stored/manifest.ts";
import { noneHeldOutNote, singleNote } from "./storeArchive.ts";
import { holdOutShare, type Upload } from "./uploadOptions.ts";

/**
 * Stores IDX files block by block, checking them as they pass.
 *
 * @throws {DatasetError} naming the field that is wrong
 */
export async function storeIdx({ parts, base, options, store, signal }: Upload): Promise<Manifest> {
  const { train_images, train_labels, test_images, test_labels } = parts;
  if (options.folders !== undefined && options.folders !== "auto") {
    throw new DatasetError("must be left out for IDX files, which have no folders", "folders");
  }
  if (!train_images) {
    throw new DatasetError("must be given (IDX images), or archive instead", "train_images");
  }
  if (test_labels && !test_images) throw new DatasetError("must be given beside test_labels", "test_images");
  if (test_images && Boolean(train_labels) !== Boolean(test_labels)) {
    const missing = train_labels ? "test_labels" : "train_labels";
    throw new DatasetError("must be given, as the other images have labels", missing);
  }
  const labels = {
    train: train_labels ? await readIdxLabels(train_labels, signal) : null,
    test: test_labels ? await readIdxLabels(test_labels, signal) : null,
  };
  const numbers = labels.train?.distinct ?? [];
  checkTestLabels(numbers, labels.test);
  let first: IdxImageHeader | undefined;
  const block = async (split: "train" | "test", file: UploadedFile): Promise<RawBlock> => {
    const { header, pixels } = await openIdxImages(file, signal);
    first ??= header;
    checkAlike(header, first, file.field);
    const own = labels[split];
    if (own && own.values.length !== header.count) {
      await pixels.return(undefined);
      throw new DatasetError(
        `has ${own.values.length} labels for the ${header.count} images of ${file.field}`,
        `${split}_labels`,
      );
    }
    const images = datasetKey(base.id, `${split}-images.raw`);
    await store.put(images, ReadableStream.from(pixels), { signal });
    if (!own) return { count: header.count, images, labels: null };
    const key = datasetKey(base.id, `${split}-labels.raw`);
    await store.put(key, ReadableStream.from(classIndices(own, numbers)), { signal });
    return { count: header.count, images, labels: key, labelBytes: labelBytes(numbers.length) };
  };
  const train = await block("train", train_images);
  const test = test_images ? await block("test", test_images) : null;
  const { height, width, channels } = first!;
  const share = holdOutShare(options, test !== null);
  const aside = await setAside(train.count, labels.train, share, options);
  const heldOut = aside && { ...aside.heldOut, rows: datasetKey(base.id, "held-out.rows") };
  if (aside && heldOut) await store.put(heldOut.rows, new Uint8Array(aside.rows.buffer), { signal });
  const pictures = train.count + (test?.count ?? 0);
  return {
    info: {
      ...base,
      format: "raw",
      height,
      width,
      channels,
      splits: {
        train: { count: train.count - (heldOut?.count ?? 0) },
        test: { count: heldOut?.count ?? test?.count ?? 0 },
      },
      labelled: labels.train !== null,
      numClasses: numbers.length,
      classNames: numbers.map(String),
      notes: [
        ...height === width ? [] : [`The images are not square (${width} x ${height}): ${resizeNote(base)}`],
        ...aside?.notes ?? [],
      ],
      size: pictures * (height * width * channels + (labels.train ? labelBytes(numbers.length) : 0)) +
        (aside?.rows.byteLength ?? 0),
    },
    storage: { kind: "raw", train, test, heldOut },
  };
}

/** The training images that are held out; null for none. */
async function setAside(
  count: number,
  labels: IdxLabels | null,
  share: number,
  { heldOut, seed = 0 }: Upload["options"],
) {
  if (share === 0) return null;
  const { rows, single } = await selectHoldOut({ count, labels: labels && labels.values }, share, seed);
  const notes = single.length > 0
    ? [singleNote(single.map(String))]
    : rows.length === 0 && heldOut
    ? [noneHeldOutNote(heldOut, count)]
    : [];
  return { rows, notes, heldOut: { count: rows.length, seed } };
}

function checkAlike(header: IdxImageHeader, first: IdxImageHeader, field: string): void {
  for (const side of ["height", "width", "channels"] as const) {
    if (header[side] === first[side]) continue;
    throw new DatasetError(`must have ${side} ${first[side]} as train_images: it has ${header[side]}`, field);
  }
}

/** @throws {DatasetError} for a test label that no training image has */
function checkTestLabels(numbers: readonly number[], test: IdxLabels | null): void {
  const trained = new Set(numbers);
  const unknown = test?.distinct.find((label) => !trained.has(label));
  if (unknown === undefined) return;
  const known = numbers.length > 12 ? [...numbers.slice(0, 12), "…"] : numbers;
  throw new DatasetError(
    `must use only the labels of train_labels (${known.join(", ")}): one is ${unknown}`,
    "test_labels",
  );
}

/** Labels in a piece of the stored object. */
const PIECE = 65_536;

/** Encodes labels as they are stored: the index of each label's number among the numbers in use, little-endian. */
async function* classIndices(
  { values }: IdxLabels,
  numbers: readonly number[],
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const index = new Map(numbers.map((label, at) => [label, at]));
  const bytes = labelBytes(numbers.length);
  for (let from = 0; from < values.length; from += PIECE) {
    const labels = values.subarray(from, from + PIECE);
    const piece = new DataView(new ArrayBuffer(labels.length * bytes));
    for (let at = 0; at < labels.length; at++) {
      const label = index.get(labels[at])!;
      if (bytes === 1) piece.setUint8(at, label);
      else piece.setUint16(2 * at, label, true);
    }
    yield new Uint8Array(piece.buffer);
    await yieldToEventLoop();
  }
}
