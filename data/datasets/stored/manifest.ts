/**
 * Data sets in object storage: what lies where.
 *
 * @module
 */
import { z } from "zod";
import { ObjectNotFoundError, type ObjectStore } from "../../objects/store.ts";
import { BACKGROUND_PATTERN, DEFAULT_PREPROCESSING, RESIZE_MODES } from "../../images/preprocessing.ts";
import { fromWire, toWire } from "../../wire.ts";
import { DatasetDamagedError, type DatasetInfo, SKIP_REASONS } from "../dataset.ts";

/** Concatenated images of equal size, and their labels (unsigned integers) in an object of their own. */
export interface RawBlock {
  readonly count: number;
  readonly images: string;
  readonly labels: string | null;
  /** Bytes of a stored label, little-endian. @default 1 */
  readonly labelBytes?: 1 | 2;
}

/** Bytes that a stored label needs. @param classes number of classes */
export const labelBytes = (classes: number): 1 | 2 => classes > 256 ? 2 : 1;

/** Keys of a data set's objects. The test split has its own block, or it is held out of the training block. */
export type Storage =
  | {
    readonly kind: "raw";
    readonly train: RawBlock;
    readonly test: RawBlock | null;
    readonly heldOut: HeldOut;
  }
  | { readonly kind: "pack"; readonly pack: string; readonly index: string; readonly heldOut: HeldOut };

/**
 * Training images that are held out. `rows` is the key of their positions in the training block, ascending, as unsigned
 * 32-bit integers, little-endian. Data sets of earlier versions have no such list, and their images are drawn by the
 * seed. New packs have null here, because the test columns of their index hold these images.
 */
export type HeldOut = { readonly count: number; readonly seed: number; readonly rows?: string } | null;

/** Encoded images: where each lies in the pack. */
export interface PackIndex {
  readonly train: PackSplit;
  readonly test: PackSplit;
}

/** Columns of equal length. */
export interface PackSplit {
  readonly offsets: readonly number[];
  readonly lengths: readonly number[];
  /** Empty without classes. */
  readonly labels: readonly number[];
}

/** A data set's description as it is stored. */
export interface Manifest {
  readonly info: DatasetInfo;
  readonly storage: Storage;
}

/** Key of an object of a data set. */
export const datasetKey = (id: string, name: string) => `datasets/${id}/${name}`;

/** Version of the description; a higher one was written by a later version of the program. */
const VERSION = 1;

const count = z.int().min(0);
const split = z.object({ count });
const block = z.looseObject({
  count,
  images: z.string(),
  labels: z.string().nullable(),
  label_bytes: z.literal([1, 2]).optional(),
});
// Data sets of earlier versions have no list of rows.
const heldOut = z.object({ count, seed: z.int().min(0), rows: z.string().optional() }).nullable();
const layout = z.object({
  folders: z.array(z.object({ folder: z.string(), split: z.enum(["train", "test"]), count })),
  passed_over: z.array(z.object({ reason: z.enum(SKIP_REASONS), count, example: z.string() })),
});

const infoSchema = z.looseObject({
  id: z.string(),
  name: z.string(),
  source: z.enum(["builtin", "upload"]),
  format: z.enum(["raw", "encoded"]),
  height: z.int().min(1).nullable(),
  width: z.int().min(1).nullable(),
  channels: z.literal([1, 3]),
  splits: z.object({ train: split, test: split }),
  labelled: z.boolean(),
  num_classes: count,
  class_names: z.array(z.string()),
  // Data sets of earlier versions have neither `resize` nor `background`.
  resize: z.enum(RESIZE_MODES).default(DEFAULT_PREPROCESSING.resize),
  background: z.string().regex(BACKGROUND_PATTERN).default(DEFAULT_PREPROCESSING.background),
  notes: z.array(z.string()).default([]),
  layout: layout.optional(),
  size: count,
  created_at: z.iso.datetime(),
}).refine((info) => info.class_names.length === info.num_classes, {
  path: ["class_names"],
  message: "must have num_classes elements",
});

const metaSchema = z.object({
  info: infoSchema,
  storage: z.discriminatedUnion("kind", [
    z.looseObject({
      kind: z.literal("raw"),
      train: block,
      test: block.nullable(),
      held_out: heldOut,
    }),
    z.looseObject({
      kind: z.literal("pack"),
      pack: z.string(),
      index: z.string(),
      held_out: heldOut,
    }),
  ]),
}).refine(({ info, storage }) => storage.kind === "pack" || (info.height !== null && info.width !== null), {
  path: ["info", "height"],
  message: "must be given",
});

/** Writes the description: from here on the data set is there. */
export async function writeManifest(store: ObjectStore, dataset: Manifest): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(toWire({ version: VERSION, ...dataset })));
  await store.put(datasetKey(dataset.info.id, "meta.json"), bytes);
}

/** A data set's description; null when there is none. @throws {DatasetDamagedError} when it cannot be read */
export async function readManifest(store: ObjectStore, id: string): Promise<Manifest | null> {
  const key = datasetKey(id, "meta.json");
  let text: string;
  try {
    text = await new Response((await store.get(key)).body).text();
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return null;
    throw error;
  }
  return parsed(id, text);
}

function parsed(id: string, text: string): Manifest {
  const damaged = (why: string, cause?: unknown) =>
    new DatasetDamagedError(id, `its description ${why}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged("is not JSON", error);
  }
  const version = (value as { version?: unknown } | null)?.version ?? VERSION;
  if (typeof version === "number" && version > VERSION) {
    throw damaged(
      `was written by a later version of this program (${version}, at most ${VERSION} can be read)`,
    );
  }
  const result = metaSchema.safeParse(value);
  if (!result.success) {
    const { path, code, message } = result.error.issues[0];
    if (path.length === 0) throw damaged("is not a JSON object", result.error);
    // Messages of rules of our own say what is right; the others are a library's.
    const why = code === "custom" ? `: ${message}` : "";
    throw damaged(`has no valid '${path.join(".").slice(0, 80)}'${why}`, result.error);
  }
  if (result.data.info.id !== id) throw damaged("is of another data set");
  return fromWire(result.data) as unknown as Manifest;
}
