/**
 * What the kinds of upload share: the parts that came, what was said beside them, and what is held out.
 *
 * @module
 */
import type { ObjectStore } from "../../objects/store.ts";
import type { ImagePreprocessing } from "../../images/preprocessing.ts";
import { DatasetError, type DatasetInfo } from "../dataset.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import type { FolderMode } from "../layout/assignSplits.ts";

/** What may be said beside the files. */
export interface UploadOptions {
  /** For people; the first file's name when absent. */
  readonly name?: string;
  /** Share of the training images set aside when there are no test images, 0 to 0.5. @default 0.1 */
  readonly heldOut?: number;
  /** Seed of which images are set aside. @default 0 */
  readonly seed?: number;
  /** How transparent and non-square images are prepared. @default crop, none */
  readonly rule?: Partial<ImagePreprocessing>;
  /** How the folders of an archive are read. @default "auto" */
  readonly folders?: FolderMode;
  /** RFC 3339; now when absent. */
  readonly createdAt?: string;
  /** An id instead of a new one: `ds_…`, or the name of a built-in data set. */
  readonly id?: string;
  /** Called when everything but the description is stored. If it throws, the data set is refused. */
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
 * The share of the training images to hold out.
 *
 * @param hasTest whether there are other images to measure on
 * @throws {DatasetError} when both are asked for
 */
export function holdOutShare(options: UploadOptions, hasTest: boolean): number {
  if (!hasTest) return options.heldOut ?? 0.1;
  if (options.heldOut === undefined || options.heldOut === 0) return 0;
  throw new DatasetError("must be left out where test images are given", "held_out");
}
