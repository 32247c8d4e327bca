/**
 * Stores an uploaded archive of images.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { type Bytes, concatBytes } from "../../bytes.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";
import { ImageError } from "../../images/imageFile.ts";
import type { ImageInfo } from "../../images/imageShape.ts";
import { inspectImage } from "../../images/inspectImage.ts";
import type { ArchiveEntry } from "../archive/entry.ts";
import { readArchive } from "../archive/readArchive.ts";
import { DatasetError, type SkippedFiles } from "../dataset.ts";
import { type LabelledImage, resolveLayout } from "../layout/layout.ts";
import { quoted } from "../quoted.ts";
import { datasetKey, type Manifest } from "../stored/manifest.ts";
import type { PackIndex, PackSplit } from "../stored/storage.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { concurrentMap } from "./concurrentMap.ts";
import { holdOutShare, selectHoldOut } from "./holdOut.ts";
import { ImageSummary } from "./imageSummary.ts";
import { SkippedFileCounts } from "./skippedFiles.ts";
import type { DatasetUpload, UploadOptions } from "./uploadOptions.ts";

/** Images that are inspected concurrently, each on a thread. */
const CONCURRENT_INSPECTIONS = 8;

/** Bytes that are written together. */
const WRITE_BYTES = 262_144;

/** The position of an image in the pack. */
interface PackedImage {
  readonly path: string;
  /** Equal for equal content. */
  readonly digest: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Stores the unchanged images of an archive in one object, the pack, with an index. Images that are held out are in the
 * test columns of the index.
 *
 * @throws {DatasetError} with the field, and with the image that has a fault
 */
export async function storeArchive(
  { files, base, options, store, signal }: DatasetUpload,
): Promise<Manifest> {
  const archive = files.archive!;
  const other = Object.values(files).find((file) => file && file !== archive);
  if (other) throw new DatasetError("must not be sent together with archive", other.field);
  const notes: string[] = [];
  const summary = new ImageSummary(archive.field), skipped = new SkippedFileCounts();
  const pack = new PackWriter(archive, summary, skipped, notes);
  const packKey = datasetKey(base.id, "pictures.pack"), indexKey = datasetKey(base.id, "index.json");
  await store.put(packKey, ReadableStream.from(pack.write(signal)), { signal });

  const layout = await resolveLayout(pack.images, options.folders ?? "auto", archive.field);
  for (const { reason, path } of layout.skipped) skipped.add(reason, path);
  const { classNames, folders } = layout;
  const splits = await withHoldOut(layout.images, options, classNames);
  const byPath = new Map(pack.images.map((image) => [image.path, image]));
  await yieldToEventLoop();
  const index: PackIndex = {
    train: packColumns(splits.train, byPath),
    test: packColumns(splits.test, byPath),
  };
  await yieldToEventLoop();
  const indexBytes = new TextEncoder().encode(JSON.stringify(index));
  await store.put(indexKey, indexBytes, { signal });
  return {
    info: {
      ...base,
      format: "encoded",
      ...summary.commonShape(),
      splits: { train: { count: splits.train.length }, test: { count: splits.test.length } },
      labelled: classNames.length > 0,
      numClasses: classNames.length,
      classNames,
      size: pack.size + indexBytes.length,
      layout: { folders, passedOver: skipped.list() },
      notes: [...layout.notes, ...notes, ...splits.notes, ...summary.notes(base)],
    },
    storage: { kind: "pack", pack: packKey, index: indexKey, heldOut: null },
  };
}

/** Inspects the images of an archive and concatenates their files. */
class PackWriter {
  readonly images: PackedImage[] = [];
  size = 0;

  constructor(
    readonly archive: UploadedFile,
    readonly summary: ImageSummary,
    readonly skipped: SkippedFileCounts,
    readonly notes: string[],
  ) {}

  /** Yields the bytes of the pack. @throws {DatasetError} */
  async *write(signal?: AbortSignal): AsyncGenerator<Bytes> {
    const { field } = this.archive;
    const entries = readArchive(this.archive, this.notes, signal);
    const inspect = async (entry: ArchiveEntry) => ({
      entry,
      info: "bytes" in entry ? await inspectEntry(entry.path, entry.bytes, field) : null,
    });
    // Small images are grouped into larger writes.
    let group: Bytes[] = [], groupBytes = 0;
    for await (const { entry, info } of concurrentMap(entries, CONCURRENT_INSPECTIONS, inspect)) {
      const { path } = entry;
      if (!("bytes" in entry)) {
        this.skipped.add(entry.skipped, path);
        continue;
      }
      const { bytes } = entry, { length } = bytes;
      this.summary.add(info!, length);
      this.images.push({ path, digest: `${length}/${crc32(bytes)}`, offset: this.size, length });
      this.size += length;
      group.push(bytes);
      groupBytes += length;
      if (groupBytes < WRITE_BYTES) continue;
      yield concatBytes(group);
      group = [];
      groupBytes = 0;
    }
    if (groupBytes > 0) yield concatBytes(group);
    if (this.images.length === 0) throw noImageError(this.skipped.list(), field);
  }
}

/** Moves a share of the training images to the test split, if there are no test images. */
async function withHoldOut(
  images: readonly LabelledImage[],
  options: UploadOptions,
  classNames: readonly string[],
): Promise<{ train: LabelledImage[]; test: LabelledImage[]; notes: readonly string[] }> {
  const train = images.filter(({ split }) => split === "train");
  const test = images.filter(({ split }) => split === "test");
  const share = holdOutShare(options, test.length > 0);
  if (share === 0) return { train, test, notes: [] };
  const labels = classNames.length > 0 ? train.map(({ label }) => label!) : null;
  const { rows, notes } = await selectHoldOut(
    { count: train.length, labels },
    share,
    options,
    (label) => classNames[label],
  );
  const isHeldOut = new Uint8Array(train.length);
  for (const row of rows) isHeldOut[row] = 1;
  return {
    train: train.filter((_, row) => !isHeldOut[row]),
    test: train.filter((_, row) => isHeldOut[row]),
    notes,
  };
}

function packColumns(images: readonly LabelledImage[], byPath: ReadonlyMap<string, PackedImage>): PackSplit {
  return {
    offsets: images.map(({ path }) => byPath.get(path)!.offset),
    lengths: images.map(({ path }) => byPath.get(path)!.length),
    labels: images.flatMap(({ label }) => label === null ? [] : [label]),
  };
}

function noImageError(skipped: readonly SkippedFiles[], field: string): DatasetError {
  const files = skipped.reduce((sum, { count }) => sum + count, 0);
  const details = files === 0
    ? ""
    : `: ${files === 1 ? "one file was" : `${files} files were`} skipped, such as ${
      quoted(skipped[0].example)
    }`;
  return new DatasetError(`contains no PNG or JPEG image${details}`, field);
}

async function inspectEntry(path: string, bytes: Bytes, field: string): Promise<ImageInfo> {
  try {
    return await inspectImage(bytes);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new DatasetError(`contains ${quoted(path)}, which ${error.message}`, field, { cause: error });
  }
}
