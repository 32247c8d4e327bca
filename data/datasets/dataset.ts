/**
 * Types of data sets: labelled or unlabelled images in two splits.
 *
 * @module
 */
import type { ImagePreprocessing } from "../images/preprocessing.ts";
import type { InputShape } from "../images/imageShape.ts";
import { StorageUnavailableError } from "../objects/store.ts";

/** The training split, or the test split, which is not used in training. */
export type SplitName = "train" | "test";

/** Maximum number of classes of a data set. */
export const MAX_CLASSES = 4096;

/** A folder of an archive and the split of its images. */
export interface LayoutFolder {
  /** Path in the archive; `.` for the whole archive. */
  readonly folder: string;
  readonly split: SplitName;
  /** Number of images in it, before some of them were held out. */
  readonly count: number;
}

/** Why a file is skipped: hidden or made by a tool, not an image, in a copy of the tree, outside of the splits. */
export const SKIP_REASONS = ["hidden", "not_an_image", "copy", "outside_splits"] as const;

/** Files of an archive that were skipped. */
export interface SkippedFiles {
  readonly reason: typeof SKIP_REASONS[number];
  readonly count: number;
  /** Path of the first of these files. */
  readonly example: string;
}

/** How the folders of an archive were interpreted. */
export interface ArchiveLayout {
  readonly folders: readonly LayoutFolder[];
  /** Skipped files. The name of this field is part of the API. */
  readonly passedOver: readonly SkippedFiles[];
}

/** Description of a data set, as it is stored in `datasets/{id}/meta.json` and returned by the API. */
export interface DatasetInfo extends ImagePreprocessing {
  /** `ds_…`, or the name of a built-in data set (`digits`, `mnist`, `fashion-mnist`). */
  readonly id: string;
  readonly name: string;
  readonly source: "builtin" | "upload";
  /** How images are stored: raw pixels of equal size, or encoded PNG and JPEG files. */
  readonly format: "raw" | "encoded";
  /** Height of the stored images in pixels; null if they differ. */
  readonly height: number | null;
  /** Width of the stored images in pixels; null if they differ. */
  readonly width: number | null;
  /** Channels of the stored images; 3 if any image has colour. */
  readonly channels: 1 | 3;
  readonly splits: {
    readonly train: { readonly count: number };
    readonly test: { readonly count: number };
  };
  readonly labelled: boolean;
  /** 0 without labels. */
  readonly numClasses: number;
  /** Names in label order: folder names, or `"0"`… for IDX. Empty without labels. */
  readonly classNames: readonly string[];
  /** Notes for the user about images that are not square or transparent, and about the interpretation of folders. */
  readonly notes: readonly string[];
  /** Stored bytes. */
  readonly size: number;
  /** Absent for IDX files, for built-in data sets, and for data sets of earlier versions. */
  readonly layout?: ArchiveLayout;
  /** RFC 3339. A fixed time for built-in data sets. */
  readonly createdAt: string;
}

/** Decoded images in a model's input shape. */
export interface ImageSet extends InputShape {
  readonly count: number;
  /** `[count, height, width, channels]`, 0 to 255. */
  readonly pixels: Uint8Array;
  /** `[count]`, 0 to numClasses - 1; null without labels. */
  readonly labels: Uint16Array | null;
}

/** An open data set. */
export interface Dataset {
  readonly info: DatasetInfo;
  /** Loads a whole split into memory. @throws {DatasetError} if it exceeds the memory limit or is damaged */
  load(split: SplitName, input: InputShape, signal?: AbortSignal): Promise<ImageSet>;
  /**
   * Reads images by index.
   *
   * @param preprocessing overrides the options of the data set
   * @throws {DatasetError} for an index outside of the split
   */
  read(
    split: SplitName,
    indices: readonly number[],
    input: InputShape,
    preprocessing?: ImagePreprocessing,
  ): Promise<ImageSet>;
}

/** Identifies a data set. */
export interface DatasetRef {
  /** Id of an upload or name of a built-in data set. */
  readonly id: string;
  /** Number of training images (`digits` only). */
  readonly size?: number;
  /** Seed of the images (`digits` only). */
  readonly seed?: number;
}

/** A data set or an upload that cannot be used. The message gives the cause. */
export class DatasetError extends Error {
  override readonly name = "DatasetError";
  /** @param field form field of the upload that has the fault */
  constructor(message: string, readonly field?: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** @throws {DatasetError} for an index outside of the split */
export function checkIndex(index: number, count: number, split: SplitName): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new DatasetError(
    `The split '${split}' has ${count} images: index ${index} must be a whole number from 0 to ${count - 1}`,
  );
}

/** A stored data set with missing, truncated or changed objects. It can be deleted and uploaded again. */
export class DatasetDamagedError extends DatasetError {
  constructor(readonly id: string, reason: string, options?: ErrorOptions) {
    super(`The data set '${id}' is damaged: ${reason}`, undefined, options);
  }
}

/** No data set has the id. */
export class DatasetNotFoundError extends Error {
  override readonly name = "DatasetNotFoundError";
  constructor(readonly id: string) {
    super(`There is no data set '${id.slice(0, 80)}'`);
  }
}

/**
 * A data set that is not stored yet cannot be downloaded at present, because no mirror is available. The same call may
 * succeed later. Runs and the API treat this like an outage of storage.
 */
export class DatasetUnavailableError extends StorageUnavailableError {}
