/**
 * Uploads of archives of images.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { ImageError } from "../../images/imageFile.ts";
import { type ImageInfo } from "../../images/imageShape.ts";
import { inspectImage } from "../../images/inspectImage.ts";
import { readArchive } from "../archive/readArchive.ts";
import { type ArchiveEntry, joined } from "../archive/entry.ts";
import { quoted } from "../archive/paths.ts";
import { concurrentMap } from "./concurrentMap.ts";
import { DatasetError, type SkippedFiles } from "../dataset.ts";
import { quotedList } from "../layout/assignSplits.ts";
import { selectHoldOut } from "./holdOut.ts";
import { ImageSummary, SkippedFileCounts } from "./imageSummary.ts";
import { type LabelledImage, resolveLayout } from "../layout/layout.ts";
import { datasetKey, type Manifest, type PackIndex, type PackSplit } from "../stored/manifest.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";
import { holdOutShare, type Upload } from "./uploadOptions.ts";

/** Images that are inspected at the same time, each on a thread. */
const AT_ONCE = 8;

/** Bytes that are stored at once. */
const PIECE = 262_144;

/** The position of an image in the pack. */
interface Packed {
  readonly path: string;
  readonly digest: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Stores the unchanged images of an archive in one object, the pack, with an index. The test columns of the index have
 * the images that are held out.
 *
 * @throws {DatasetError} naming the field and the image that is wrong
 */
export async function storeArchive({ parts, base, options, store, signal }: Upload): Promise<Manifest> {
  const archive = parts.archive!;
  const other = Object.values(parts).find((part) => part && part !== archive);
  if (other) throw new DatasetError("must not be given beside archive", other.field);
  const packed: Packed[] = [], notes: string[] = [];
  const summary = new ImageSummary(archive.field), passedOver = new SkippedFileCounts();
  const pack = datasetKey(base.id, "pictures.pack"), index = datasetKey(base.id, "index.json");
  let size = 0;
  async function* images(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    // Small images are grouped into larger writes.
    const waiting: Uint8Array<ArrayBuffer>[] = [];
    let waitingBytes = 0;
    const inspect = async (entry: ArchiveEntry) => ({
      entry,
      found: "bytes" in entry ? await inspected(entry.path, entry.bytes, archive.field) : null,
    });
    for await (
      const { entry, found } of concurrentMap(readArchive(archive, notes, signal), AT_ONCE, inspect)
    ) {
      const { path } = entry;
      if (!("bytes" in entry)) {
        passedOver.add(entry.passedOver, path);
        continue;
      }
      const { bytes } = entry;
      summary.add(found!, bytes.length);
      packed.push({ path, digest: `${bytes.length}/${crc32(bytes)}`, offset: size, length: bytes.length });
      size += bytes.length;
      waiting.push(bytes);
      waitingBytes += bytes.length;
      if (waitingBytes < PIECE) continue;
      yield joined(waiting, waitingBytes);
      waiting.length = waitingBytes = 0;
    }
    if (waitingBytes > 0) yield joined(waiting, waitingBytes);
    if (packed.length === 0) throw noImage(passedOver.list(), archive.field);
  }
  await store.put(pack, ReadableStream.from(images()), { signal });

  const layout = await resolveLayout(packed, options.folders ?? "auto", archive.field);
  for (const { reason, path } of layout.passedOver) passedOver.add(reason, path);
  const { images: placed, classNames, folders } = layout;
  const splits = await withHeldOut(placed, options, classNames, notes);
  const places = new Map(packed.map((image) => [image.path, image]));
  await yieldToEventLoop();
  const content: PackIndex = {
    train: columns(splits.train, places),
    test: columns(splits.test, places),
  };
  await yieldToEventLoop();
  const text = new TextEncoder().encode(JSON.stringify(content));
  await store.put(index, text, { signal });
  return {
    info: {
      ...base,
      format: "encoded",
      ...summary.common(),
      splits: { train: { count: splits.train.length }, test: { count: splits.test.length } },
      labelled: classNames.length > 0,
      numClasses: classNames.length,
      classNames,
      size: size + text.length,
      layout: { folders, passedOver: passedOver.list() },
      notes: [...layout.notes, ...notes, ...summary.notes(base)],
    },
    storage: { kind: "pack", pack, index, heldOut: null },
  };
}

/** The two splits, after a share of the training images was moved to the test split. */
async function withHeldOut(
  images: readonly LabelledImage[],
  options: Upload["options"],
  classNames: readonly string[],
  notes: string[],
): Promise<{ train: LabelledImage[]; test: LabelledImage[] }> {
  const train = images.filter(({ split }) => split === "train");
  const test = images.filter(({ split }) => split === "test");
  const share = holdOutShare(options, test.length > 0);
  if (share === 0) return { train, test };
  const labels = classNames.length > 0 ? train.map(({ label }) => label!) : null;
  const { rows, single } = await selectHoldOut({ count: train.length, labels }, share, options.seed ?? 0);
  if (single.length > 0) notes.push(singleNote(single.map((label) => classNames[label])));
  else if (rows.length === 0 && options.heldOut) notes.push(noneHeldOutNote(options.heldOut, train.length));
  const aside = new Uint8Array(train.length);
  for (const row of rows) aside[row] = 1;
  return { train: train.filter((_, row) => !aside[row]), test: train.filter((_, row) => aside[row]) };
}

/** Note for the user about classes with a single image. */
export function singleNote(names: readonly string[]): string {
  return `Classes with a single image (${
    quotedList(names)
  }) are only in the training split: their images are not held out.`;
}

/** Note for the user about a share that is too small to hold out one image. */
export function noneHeldOutNote(share: number, count: number): string {
  return `No image is held out: ${share} of ${count} is less than one image.`;
}

function columns(images: readonly LabelledImage[], places: ReadonlyMap<string, Packed>): PackSplit {
  return {
    offsets: images.map(({ path }) => places.get(path)!.offset),
    lengths: images.map(({ path }) => places.get(path)!.length),
    labels: images.flatMap(({ label }) => label === null ? [] : [label]),
  };
}

function noImage(passedOver: readonly SkippedFiles[], field: string): DatasetError {
  const files = passedOver.reduce((sum, { count }) => sum + count, 0);
  const beside = files === 0
    ? ""
    : `: ${files === 1 ? "one file was" : `${files} files were`} passed over, as ${
      quoted(passedOver[0].example)
    }`;
  return new DatasetError(`holds no PNG or JPEG image${beside}`, field);
}

async function inspected(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  field: string,
): Promise<ImageInfo> {
  try {
    return await inspectImage(bytes);
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    throw new DatasetError(`holds ${quoted(path)}, which ${error.message}`, field, { cause: error });
  }
}
