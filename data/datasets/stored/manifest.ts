/**
 * The manifest of a stored data set: its description and the keys of its objects, in `datasets/{id}/meta.json`.
 *
 * @module
 */
import { z } from "zod";
import { ObjectNotFoundError, type ObjectStore } from "../../objects/store.ts";
import { BACKGROUND_PATTERN, DEFAULT_PREPROCESSING, RESIZE_MODES } from "../../images/preprocessing.ts";
import { fromWire, toWire } from "../../wire.ts";
import { DatasetDamagedError, type DatasetInfo, SKIP_REASONS } from "../dataset.ts";
import type { DatasetStorage } from "./storage.ts";

/** The content of a manifest. */
export interface Manifest {
  readonly info: DatasetInfo;
  readonly storage: DatasetStorage;
}

/** Returns the key of an object of a data set. */
export const datasetKey = (id: string, name: string) => `datasets/${id}/${name}`;

/** Version of the format. Manifests with a higher version are refused. */
const VERSION = 1;

const count = z.int().min(0);
const split = z.object({ count });
const block = z.looseObject({
  count,
  images: z.string(),
  labels: z.string().nullable(),
  label_bytes: z.literal([1, 2]).optional(),
});
// Data sets of earlier versions have no rows.
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

const manifestSchema = z.object({
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
  message: "is required for raw images",
});

/** Writes a manifest, which makes the data set visible. */
export async function writeManifest(store: ObjectStore, dataset: Manifest): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(toWire({ version: VERSION, ...dataset })));
  await store.put(datasetKey(dataset.info.id, "meta.json"), bytes);
}

/** Reads the manifest of a data set; null if there is none. @throws {DatasetDamagedError} for an invalid manifest */
export async function readManifest(store: ObjectStore, id: string): Promise<Manifest | null> {
  const key = datasetKey(id, "meta.json");
  let text: string;
  try {
    text = await new Response((await store.get(key)).body).text();
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return null;
    throw error;
  }
  return parse(id, text);
}

function parse(id: string, text: string): Manifest {
  const damaged = (reason: string, cause?: unknown) =>
    new DatasetDamagedError(id, `its description ${reason}`, { cause });
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
  const result = manifestSchema.safeParse(value);
  if (!result.success) {
    const { path, code, message } = result.error.issues[0];
    if (path.length === 0) throw damaged("is not a JSON object", result.error);
    // Only the messages of `refine` rules are useful to the user.
    const detail = code === "custom" ? `: ${message}` : "";
    throw damaged(`has no valid '${path.join(".").slice(0, 80)}'${detail}`, result.error);
  }
  if (result.data.info.id !== id) throw damaged("belongs to another data set");
  return fromWire(result.data) as unknown as Manifest;
}
