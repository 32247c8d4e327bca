/**
 * What the kinds of upload share: the parts that came, what was said beside them, and what is held out.
 *
 * @module
 */
import type { ObjectStore } from "../objects/store.ts";
import type { PictureRule } from "../pictureRule.ts";
import { DatasetError, type DatasetInfo } from "./dataset.ts";
import type { UploadedFile } from "./gzip.ts";
import type { HeldOut } from "./stored.ts";

/** What may be said beside the files. */
export interface UploadOptions {
  /** For people; the first file's name when absent. */
  readonly name?: string;
  /** Share of the training pictures set aside when there are no test pictures, 0 to 0.5. @default 0.1 */
  readonly heldOut?: number;
  /** Seed of which pictures are set aside. @default 0 */
  readonly seed?: number;
  /** What becomes of images that are not square or transparent. @default crop, none */
  readonly rule?: Partial<PictureRule>;
  /** RFC 3339; now when absent. */
  readonly createdAt?: string;
  /** An id instead of a new one: `ds_…`, or the name of a built-in data set. */
  readonly id?: string;
  /** Called when everything but the description is stored; what it throws refuses the data set. */
  readonly confirm?: () => Promise<void>;
}

/** An upload on its way to be a data set. */
export interface Upload {
  /** Files by field. */
  readonly parts: Readonly<Record<string, UploadedFile | undefined>>;
  readonly base: Pick<DatasetInfo, "id" | "name" | "source" | "createdAt" | "resize" | "background">;
  readonly options: UploadOptions;
  readonly store: ObjectStore;
  readonly signal?: AbortSignal;
}

/**
 * How many training pictures are set aside; null for none.
 *
 * @param train pictures to train on @param hasTest whether there are others to measure on
 * @throws {DatasetError} when both are asked for
 */
export function heldOutOf(options: UploadOptions, train: number, hasTest: boolean): HeldOut {
  if (hasTest) {
    if (options.heldOut === undefined || options.heldOut === 0) return null;
    throw new DatasetError("must be left out where test pictures are given", "held_out");
  }
  const count = Math.floor(train * (options.heldOut ?? 0.1));
  return count === 0 ? null : { count, seed: options.seed ?? 0 };
}

/** The sizes of the splits once the pictures set aside have moved. */
export function splitsOf(train: number, test: number, heldOut: HeldOut): DatasetInfo["splits"] {
  const aside = heldOut?.count ?? 0;
  return { train: { count: train - aside }, test: { count: test + aside } };
}
