/**
 * What a data set is to the rest of the house: labelled or unlabelled images in two splits.
 *
 * @module
 */

import { StorageUnavailableError } from "../objects/store.ts";
import type { InputShape } from "../images/imageShape.ts";
import type { ImagePreprocessing } from "../images/preprocessing.ts";

/** The two parts of a data set: what is trained on, and what was held out to measure on. */
export type SplitName = "train" | "test";

/** A folder of an archive and the split that its images are in. */
export interface LayoutFolder {
  /** Its path in the archive; `.` for the whole archive. */
  readonly folder: string;
  readonly split: SplitName;
  /** Images in it, before some of them were held out. */
  readonly count: number;
}

/** Why files are passed over: hidden or made by a tool, not an image, in a copy of the tree, outside the splits. */
export const SKIP_REASONS = ["hidden", "not_an_image", "copy", "outside_splits"] as const;

/** Files of an archive that were not read. */
export interface SkippedFiles {
  readonly reason: typeof SKIP_REASONS[number];
  readonly count: number;
  /** Path of the first of these files. */
  readonly example: string;
}

/** How an archive was read. */
export interface ArchiveLayout {
  readonly folders: readonly LayoutFolder[];
  readonly passedOver: readonly SkippedFiles[];
}

/** What is known of a data set; kept as `datasets/{id}/meta.json` in object storage and answered by the API. */
export interface DatasetInfo extends ImagePreprocessing {
  /** `ds_…`, or the built-in name (`digits`, `mnist`, `fashion-mnist`). */
  readonly id: string;
  readonly name: string;
  readonly source: "builtin" | "upload";
  /** How images are stored: one raw block of equal size, or as encoded PNG/JPEG files. */
  readonly format: "raw" | "encoded";
  /** Size of a stored image in pixels; null where they differ. */
  readonly height: number | null;
  readonly width: number | null;
  /** Channels of the stored images: 3 when any has colour. */
  readonly channels: 1 | 3;
  readonly splits: {
    readonly train: { readonly count: number };
    readonly test: { readonly count: number };
  };
  readonly labelled: boolean;
  /** 0 when unlabelled. */
  readonly numClasses: number;
  /** Class names in label order (folder names; `"0"`… for IDX). Empty when unlabelled. */
  readonly classNames: readonly string[];
  /** Notes about non-square or transparent images, and about readings of the folders that may surprise the user. */
  readonly notes: readonly string[];
  /** Bytes stored. */
  readonly size: number;
  /** How the archive was read; absent for IDX files, for built-ins, and for data sets of earlier versions. */
  readonly layout?: ArchiveLayout;
  /** RFC 3339; the release's fixed time for built-ins. */
  readonly createdAt: string;
}

/** Decoded images in the form asked for. */
export interface ImageSet extends InputShape {
  readonly count: number;
  /** `[count, height, width, channels]`, 0 to 255. */
  readonly pixels: Uint8Array;
  /** `[count]`, 0 to numClasses - 1; null when unlabelled. */
  readonly labels: Uint16Array | null;
}

/** A data set that can be read. */
export interface Dataset {
  readonly info: DatasetInfo;
  /** A whole split in memory. @throws {DatasetError} when it would pass the memory limit, or the bytes are damaged */
  load(split: SplitName, form: InputShape, signal?: AbortSignal): Promise<ImageSet>;
  /**
   * Some images by index.
   *
   * @param rule replaces the data set's own rule
   * @throws {DatasetError} for an index outside the split
   */
  read(
    split: SplitName,
    indices: readonly number[],
    form: InputShape,
    rule?: ImagePreprocessing,
  ): Promise<ImageSet>;
}

/** Names a data set: an upload's id or a built-in's name, with what only `digits` takes. */
export interface DatasetRef {
  readonly id: string;
  /** Training images to draw (`digits` only). */
  readonly size?: number;
  /** Seed of the drawing (`digits` only). */
  readonly seed?: number;
}

/** A data set or an upload that cannot be used; the message names the cause, `field` the part of the upload. */
export class DatasetError extends Error {
  override readonly name = "DatasetError";
  constructor(message: string, readonly field?: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** A stored data set with missing, truncated or changed objects. It can be deleted and uploaded again. */
export class DatasetDamagedError extends DatasetError {
  constructor(readonly id: string, why: string, options?: ErrorOptions) {
    super(`The data set '${id}' is damaged: ${why}`, undefined, options);
  }
}

/** No data set of that id. */
export class DatasetNotFoundError extends Error {
  override readonly name = "DatasetNotFoundError";
  constructor(readonly id: string) {
    super(`There is no data set '${id.slice(0, 80)}'`);
  }
}

/**
 * A data set that is not stored yet cannot be downloaded at present, because no mirror answers with it. The same call
 * may succeed later. Runs and the API treat this like an outage of storage.
 */
export class DatasetUnavailableError extends StorageUnavailableError {}
