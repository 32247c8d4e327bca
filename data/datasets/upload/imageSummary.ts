/**
 * Summary of all files of an archive.
 *
 * @module
 */
import type { ImageInfo } from "../../images/imageShape.ts";
import { backgroundNote, type ImagePreprocessing, resizeNote } from "../../images/preprocessing.ts";
import { DatasetError, type SkippedFiles } from "../dataset.ts";

/** Limits of the decoded size of the images of an archive. */
export const DECODED_LIMITS = {
  /** Pixels that any archive may have. */
  free: 5_000_000_000,
  /** Further pixels allowed for each byte of the image files. Photographs have 3 to 20, drawings up to 300. */
  ratio: 500,
} as const;

/** Sizes, colours and transparency of the images. */
export class ImageSummary {
  #pixels = 0;
  #bytes = 0;
  readonly #height = new Set<number>();
  readonly #width = new Set<number>();
  #colour = false;
  #count = 0;
  #notSquare = 0;
  #transparent = 0;

  /** @param field the part of the upload, for the message */
  constructor(readonly field: string) {}

  /**
   * Counts an image.
   *
   * @param bytes size of its file
   * @throws {DatasetError} when the images are far larger than their files
   */
  add({ height, width, channels, hasAlpha }: ImageInfo, bytes: number): void {
    this.#pixels += height * width;
    this.#bytes += bytes;
    if (this.#pixels > DECODED_LIMITS.free + DECODED_LIMITS.ratio * this.#bytes) {
      throw new DatasetError(
        `has images of more than ${DECODED_LIMITS.ratio} pixels for each of their bytes ` +
          `(${DECODED_LIMITS.free} pixels are always allowed)`,
        this.field,
      );
    }
    this.#height.add(height);
    this.#width.add(width);
    this.#colour ||= channels === 3;
    this.#count++;
    this.#notSquare += Number(height !== width);
    this.#transparent += Number(hasAlpha);
  }

  /** Height and width if all images have the same, else null. 3 channels if any image has colour. */
  common(): { height: number | null; width: number | null; channels: 1 | 3 } {
    const one = (sides: ReadonlySet<number>) => sides.size === 1 ? [...sides][0] : null;
    return { height: one(this.#height), width: one(this.#width), channels: this.#colour ? 3 : 1 };
  }

  /** Notes for the user about images that the rule changes. */
  notes(rule: ImagePreprocessing): string[] {
    const notes: string[] = [];
    const of = `of ${this.#count} images`;
    if (this.#notSquare > 0) notes.push(`${this.#notSquare} ${of} are not square: ${resizeNote(rule)}`);
    if (this.#transparent > 0) {
      notes.push(`${this.#transparent} ${of} have transparency: ${backgroundNote(rule)}`);
    }
    return notes;
  }
}

/** Files that are passed over, counted by reason. */
export class SkippedFileCounts {
  readonly #counts = new Map<SkippedFiles["reason"], { count: number; example: string }>();

  /** Counts a file. */
  add(reason: SkippedFiles["reason"], path: string): void {
    const own = this.#counts.get(reason);
    if (own) own.count++;
    else this.#counts.set(reason, { count: 1, example: path });
  }

  /** The counts, with the first file of each reason. */
  list(): SkippedFiles[] {
    return [...this.#counts].map(([reason, { count, example }]) => ({ reason, count, example }));
  }
}
