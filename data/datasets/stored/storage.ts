/**
 * Objects of a stored data set, and their formats.
 *
 * @module
 */

/** Concatenated images of equal size in one object, and their labels (unsigned integers) in another. */
export interface RawBlock {
  readonly count: number;
  /** Key of the images. */
  readonly images: string;
  /** Key of the labels; null without labels. */
  readonly labels: string | null;
  /** Bytes of a label, little-endian. @default 1 */
  readonly labelBytes?: 1 | 2;
}

/** Returns the number of bytes of a stored label. @param classes number of classes */
export const labelBytes = (classes: number): 1 | 2 => classes > 256 ? 2 : 1;

/**
 * Training images that are held out. `rows` is the key of their indices in the training block: ascending unsigned 32-bit
 * integers, little-endian. In data sets of earlier versions `rows` is missing, and the seed determines the images. The
 * value is null for new packs, because the test columns of their index contain these images.
 */
export type HeldOut = { readonly count: number; readonly seed: number; readonly rows?: string } | null;

/** Raw images. The test split has its own block, or is held out of the training block. */
export interface RawStorage {
  readonly kind: "raw";
  readonly train: RawBlock;
  readonly test: RawBlock | null;
  readonly heldOut: HeldOut;
}

/** Encoded images in one object, the pack. */
export interface PackStorage {
  readonly kind: "pack";
  /** Key of the images. */
  readonly pack: string;
  /** Key of the {@linkcode PackIndex}. */
  readonly index: string;
  readonly heldOut: HeldOut;
}

/** Keys of the objects of a data set. */
export type DatasetStorage = RawStorage | PackStorage;

/** The index of a pack. */
export interface PackIndex {
  readonly train: PackSplit;
  readonly test: PackSplit;
}

/** Columns of equal length, with an element for each image. */
export interface PackSplit {
  /** Offset in the pack in bytes. */
  readonly offsets: readonly number[];
  /** Length in bytes. */
  readonly lengths: readonly number[];
  /** Empty without labels. */
  readonly labels: readonly number[];
}
