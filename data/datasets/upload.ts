/**
 * Uploads into data sets: checked while they are stored, and there only when all of it is.
 *
 * @module
 */
import { ulid } from "ulid";
import { inspectPicture, PictureError } from "../images.ts";
import type { ObjectStore } from "../objects/store.ts";
import { archiveEntries, shown } from "./archive.ts";
import { DatasetError, type DatasetInfo } from "./dataset.ts";
import type { UploadedFile } from "./gzip.ts";
import { type IdxImages, openIdxImages, readIdxLabels } from "./idx.ts";
import { layoutOf } from "./layout.ts";
import {
  datasetKey,
  type HeldOut,
  type PackIndex,
  type PackSplit,
  putStored,
  type RawBlock,
  type StoredDataset,
} from "./stored.ts";

/** What may be said beside the files. */
export interface UploadOptions {
  /** For people; the first file's name when absent. */
  readonly name?: string;
  /** Share of the training pictures set aside when there are no test pictures, 0 to 0.5. @default 0.1 */
  readonly heldOut?: number;
  /** Seed of which pictures are set aside. @default 0 */
  readonly seed?: number;
  /** RFC 3339; now when absent. */
  readonly createdAt?: string;
  /** A fixed id instead of a new one (built-in data sets). */
  readonly id?: string;
}

type Parts = Readonly<Record<string, UploadedFile | undefined>>;

/**
 * Makes a data set of an upload: either IDX files in `train_images`, `train_labels`, `test_images`, `test_labels`,
 * or one `archive`.
 *
 * @throws {DatasetError} naming the field that is wrong; nothing is kept then
 */
export async function createDataset(
  files: readonly UploadedFile[],
  options: UploadOptions,
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<DatasetInfo> {
  const parts: Parts = Object.fromEntries(files.map((file) => [file.field, file]));
  const id = options.id ?? `ds_${ulid()}`;
  const name = options.name ??
    (files[0]?.filename.replace(/\.(zip|tar|gz|tgz|idx\d)/g, "").slice(0, 128) || id);
  const created = options.createdAt ?? new Date().toISOString();
  const base = { id, name, source: options.id ? "builtin" : "upload", createdAt: created } as const;
  try {
    const dataset = parts.archive
      ? await fromArchive(parts, base, options, store, signal)
      : await fromIdx(parts, base, options, store, signal);
    signal?.throwIfAborted();
    await putStored(store, dataset);
    return dataset.info;
  } catch (error) {
    await removeDataset(store, id).catch(() => {});
    throw error;
  }
}

/** Removes every object of a data set, its description first. */
export async function removeDataset(store: ObjectStore, id: string): Promise<void> {
  await store.delete(datasetKey(id, "meta.json"));
  for await (const { key } of store.list(datasetKey(id, ""))) await store.delete(key);
}

type Base = Pick<DatasetInfo, "id" | "name" | "source" | "createdAt">;

function heldOutOf(options: UploadOptions, train: number, hasTest: boolean): HeldOut {
  if (hasTest) {
    if (options.heldOut === undefined || options.heldOut === 0) return null;
    throw new DatasetError("must be left out where test pictures are given", "held_out");
  }
  const count = Math.floor(train * (options.heldOut ?? 0.1));
  return count === 0 ? null : { count, seed: options.seed ?? 0 };
}

function splitsOf(train: number, test: number, heldOut: HeldOut): DatasetInfo["splits"] {
  const aside = heldOut?.count ?? 0;
  return { train: { count: train - aside }, test: { count: test + aside } };
}

async function fromIdx(
  parts: Parts,
  base: Base,
  options: UploadOptions,
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<StoredDataset> {
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

interface Packed {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

async function fromArchive(
  parts: Parts,
  base: Base,
  options: UploadOptions,
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<StoredDataset> {
  const archive = parts.archive!;
  const other = Object.values(parts).find((part) => part && part !== archive);
  if (other) throw new DatasetError("must not be given beside archive", other.field);
  const packed: Packed[] = [];
  const sizes = { height: new Set<number>(), width: new Set<number>(), colour: false };
  const pack = datasetKey(base.id, "pictures.pack"), index = datasetKey(base.id, "index.json");
  let size = 0;
  async function* pictures(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for await (const { path, bytes } of archiveEntries(archive, signal)) {
      const found = await inspected(path, bytes, archive.field);
      sizes.height.add(found.height);
      sizes.width.add(found.width);
      sizes.colour ||= found.channels === 3;
      packed.push({ path, offset: size, length: bytes.length });
      size += bytes.length;
      yield bytes;
    }
    if (packed.length === 0) throw new DatasetError("holds no picture", archive.field);
  }
  await store.put(pack, ReadableStream.from(pictures()), { signal });

  const layout = layoutOf(packed.map(({ path }) => path), archive.field);
  const places = new Map(packed.map((picture) => [picture.path, picture]));
  const columns = (split: "train" | "test"): PackSplit => {
    const own = layout.pictures.filter((picture) => picture.split === split);
    return {
      offsets: own.map(({ path }) => places.get(path)!.offset),
      lengths: own.map(({ path }) => places.get(path)!.length),
      labels: own.flatMap(({ label }) => label === null ? [] : [label]),
    };
  };
  const content: PackIndex = { train: columns("train"), test: columns("test") };
  const text = new TextEncoder().encode(JSON.stringify(content));
  await store.put(index, text, { signal });
  const counts = { train: content.train.offsets.length, test: content.test.offsets.length };
  const heldOut = heldOutOf(options, counts.train, counts.test > 0);
  const [height = null, ...heights] = sizes.height, [width = null, ...widths] = sizes.width;
  return {
    info: {
      ...base,
      format: "encoded",
      height: heights.length > 0 ? null : height,
      width: widths.length > 0 ? null : width,
      channels: sizes.colour ? 3 : 1,
      splits: splitsOf(counts.train, counts.test, heldOut),
      labelled: layout.classNames.length > 0,
      numClasses: layout.classNames.length,
      classNames: layout.classNames,
      size: size + text.length,
    },
    storage: { kind: "pack", pack, index, heldOut },
  };
}

async function inspected(path: string, bytes: Uint8Array<ArrayBuffer>, field: string) {
  try {
    return await inspectPicture(bytes);
  } catch (error) {
    if (!(error instanceof PictureError)) throw error;
    throw new DatasetError(`holds ${shown(path)}, which ${error.message}`, field, { cause: error });
  }
}
