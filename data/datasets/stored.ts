/**
 * Data sets in object storage: what lies where.
 *
 * @module
 */
import { z } from "zod";
import { ObjectNotFoundError, type ObjectStore } from "../objects/store.ts";
import { fromWire, toWire } from "../wire.ts";
import { DatasetError, type DatasetInfo } from "./dataset.ts";

/** Pictures of equal size one after the other, and their labels (unsigned integers) beside them. */
export interface RawBlock {
  readonly count: number;
  readonly images: string;
  readonly labels: string | null;
  /** Bytes of a stored label, little-endian. @default 1 */
  readonly labelBytes?: 1 | 2;
}

/** Bytes that a stored label needs. @param classes number of classes */
export const labelBytes = (classes: number): 1 | 2 => classes > 256 ? 2 : 1;

/** Where a data set lies. `heldOut` pictures of the training block are the test split, drawn by the seed. */
export type Storage =
  | {
    readonly kind: "raw";
    readonly train: RawBlock;
    readonly test: RawBlock | null;
    readonly heldOut: HeldOut;
  }
  | { readonly kind: "pack"; readonly pack: string; readonly index: string; readonly heldOut: HeldOut };

/** Training pictures set aside. */
export type HeldOut = { readonly count: number; readonly seed: number } | null;

/** Encoded pictures: where each lies in the pack. */
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
export interface StoredDataset {
  readonly info: DatasetInfo;
  readonly storage: Storage;
}

/** Key of an object of a data set. */
export const datasetKey = (id: string, name: string) => `datasets/${id}/${name}`;

const metaSchema = z.object({
  info: z.looseObject({ id: z.string(), format: z.enum(["raw", "encoded"]) }),
  storage: z.looseObject({ kind: z.enum(["raw", "pack"]) }),
});

/** Writes the description: from here on the data set is there. */
export async function putStored(store: ObjectStore, dataset: StoredDataset): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(toWire(dataset)));
  await store.put(datasetKey(dataset.info.id, "meta.json"), bytes);
}

/** A data set's description; null when there is none. */
export async function getStored(store: ObjectStore, id: string): Promise<StoredDataset | null> {
  const key = datasetKey(id, "meta.json");
  let text: string;
  try {
    text = await new Response((await store.get(key)).body).text();
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return null;
    throw error;
  }
  try {
    return fromWire(metaSchema.parse(JSON.parse(text))) as unknown as StoredDataset;
  } catch (error) {
    throw new DatasetError(`The description of the data set '${id}' is damaged`, undefined, { cause: error });
  }
}
