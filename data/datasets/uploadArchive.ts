/**
 * Uploads of archives of pictures.
 *
 * @module
 */
import { type InspectedPicture, inspectPicture, PictureError } from "../images.ts";
import { backgroundNote, type PictureRule, resizeNote } from "../pictureRule.ts";
import { archiveEntries, shown } from "./archive.ts";
import { DatasetError } from "./dataset.ts";
import { layoutOf } from "./layout.ts";
import { datasetKey, type PackIndex, type PackSplit, type StoredDataset } from "./stored.ts";
import { heldOutOf, splitsOf, type Upload } from "./uploaded.ts";

interface Packed {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * Stores the pictures of an archive one behind the other, as they are, and an index of them.
 *
 * @throws {DatasetError} naming the field and the picture that is wrong
 */
export async function fromArchive({ parts, base, options, store, signal }: Upload): Promise<StoredDataset> {
  const archive = parts.archive!;
  const other = Object.values(parts).find((part) => part && part !== archive);
  if (other) throw new DatasetError("must not be given beside archive", other.field);
  const packed: Packed[] = [];
  const sizes = { height: new Set<number>(), width: new Set<number>(), colour: false };
  const odd = { notSquare: 0, transparent: 0 };
  const pack = datasetKey(base.id, "pictures.pack"), index = datasetKey(base.id, "index.json");
  let size = 0;
  async function* pictures(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    for await (const { path, bytes } of archiveEntries(archive, signal)) {
      const found = await inspected(path, bytes, archive.field);
      sizes.height.add(found.height);
      sizes.width.add(found.width);
      sizes.colour ||= found.channels === 3;
      odd.notSquare += Number(found.height !== found.width);
      odd.transparent += Number(found.hasAlpha);
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
      notes: pictureNotes(odd, packed.length, base),
      size: size + text.length,
    },
    storage: { kind: "pack", pack, index, heldOut },
  };
}

/** What is to be said of images that the rule changes. */
function pictureNotes(
  { notSquare, transparent }: { notSquare: number; transparent: number },
  count: number,
  rule: PictureRule,
): string[] {
  const notes: string[] = [];
  if (notSquare > 0) notes.push(`${notSquare} of ${count} images are not square: ${resizeNote(rule)}`);
  if (transparent > 0) {
    notes.push(`${transparent} of ${count} images have transparency: ${backgroundNote(rule)}`);
  }
  return notes;
}

async function inspected(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  field: string,
): Promise<InspectedPicture> {
  try {
    return await inspectPicture(bytes);
  } catch (error) {
    if (!(error instanceof PictureError)) throw error;
    throw new DatasetError(`holds ${shown(path)}, which ${error.message}`, field, { cause: error });
  }
}
