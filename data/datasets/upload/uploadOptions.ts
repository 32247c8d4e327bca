/**
 * Options of uploads, the same for archives and IDX files.
 *
 * @module
 */
import type { ImagePreprocessing } from "../../images/preprocessing.ts";
import type { ObjectStore } from "../../objects/store.ts";
import type { DatasetInfo } from "../dataset.ts";
import type { FolderMode } from "../layout/assignSplits.ts";
import type { UploadedFile } from "../uploadedFile.ts";

/** Options of an upload. */
export interface UploadOptions {
  /** Display name. @default the name of the first file */
  readonly name?: string;
  /** Share of the training images to hold out if there are no test images, 0 to 0.5. @default 0.1 */
  readonly heldOut?: number;
  /** Seed of the hold-out. @default 0 */
  readonly seed?: number;
  /** How images are converted when they are read. @default crop, none */
  readonly preprocessing?: Partial<ImagePreprocessing>;
  /** How the folders of an archive are interpreted. @default "auto" */
  readonly folders?: FolderMode;
  /** Creation time, RFC 3339. @default now */
  readonly createdAt?: string;
  /** Id of the data set: `ds_…`, or the name of a built-in data set. @default a new id */
  readonly id?: string;
  /** Called before the manifest is written. If it throws, the data set is discarded. */
  readonly confirm?: () => Promise<void>;
}

/** An upload that is being stored. */
export interface DatasetUpload {
  /** Files by form field. */
  readonly files: Readonly<Record<string, UploadedFile | undefined>>;
  /** Properties of the data set that do not depend on its images. */
  readonly base: Pick<DatasetInfo, "id" | "name" | "source" | "createdAt" | "resize" | "background">;
  readonly options: UploadOptions;
  readonly store: ObjectStore;
  readonly signal?: AbortSignal;
}
