/**
 * Summary of the images of an archive.
 *
 * @module
 */
import type { ImageInfo } from "../../images/imageShape.ts";
import { backgroundNote, type ImagePreprocessing, resizeNote } from "../../images/preprocessing.ts";
import { DatasetError } from "../dataset.ts";

/** Limits of the decoded size of the images of an archive. */
export const DECODED_LIMITS = {
  /** Pixels that any archive may have, whatever its size. */
  allowance: 5_000_000_000,
  /** Additional pixels allowed for each byte of the image files. Photographs have 3 to 20, drawings up to 300. */
  ratio: 500,
} as const;

/** Collects the sizes, colours and transparency of the images. */
export class ImageSummary {
  #pixels = 0;
  #bytes = 0;
  readonly #heights = new Set<number>();
  readonly #widths = new Set<number>();
  #hasColour = false;
  #count = 0;
  #notSquare = 0;
  #transparent = 0;

  /** @param field form field of the archive, for messages */
  constructor(readonly field: string) {}

  /**
   * Adds an image.
   *
   * @param bytes size of its file
   * @throws {DatasetError} if the decoded images are far larger than their files
   */
  add({ height, width, channels, hasAlpha }: ImageInfo, bytes: number): void {
    this.#pixels += height * width;
    this.#bytes += bytes;
    if (this.#pixels > DECODED_LIMITS.allowance + DECODED_LIMITS.ratio * this.#bytes) {
      throw new DatasetError(
        `has images of more than ${DECODED_LIMITS.ratio} pixels for each of their bytes ` +
          `(${DECODED_LIMITS.allowance} pixels are always allowed)`,
        this.field,
      );
    }
    this.#heights.add(height);
    this.#widths.add(width);
    this.#hasColour ||= channels === 3;
    this.#count++;
    this.#notSquare += Number(height !== width);
    this.#transparent += Number(hasAlpha);
  }

  /** Returns the height and width that all images share, or null. The channels are 3 if any image has colour. */
  commonShape(): { height: number | null; width: number | null; channels: 1 | 3 } {
    const single = (sizes: ReadonlySet<number>) => sizes.size === 1 ? [...sizes][0] : null;
    return {
      height: single(this.#heights),
      width: single(this.#widths),
      channels: this.#hasColour ? 3 : 1,
    };
  }

  /** Returns notes for the user about images that preprocessing changes. */
  notes(preprocessing: ImagePreprocessing): string[] {
    const notes: string[] = [];
    const total = `of ${this.#count} images`;
    if (this.#notSquare > 0) {
      notes.push(`${this.#notSquare} ${total} are not square: ${resizeNote(preprocessing)}`);
    }
    if (this.#transparent > 0) {
      notes.push(`${this.#transparent} ${total} have transparency: ${backgroundNote(preprocessing)}`);
    }
    return notes;
  }
}
