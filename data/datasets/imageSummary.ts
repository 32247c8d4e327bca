/**
 * What the files of an archive are together.
 *
 * @module
 */
import type { InspectedPicture } from "../images.ts";
import { backgroundNote, type PictureRule, resizeNote } from "../pictureRule.ts";
import type { FilesPassedOver } from "./dataset.ts";

/** Sizes, colours and transparency of the images. */
export class ImageSummary {
  readonly #height = new Set<number>();
  readonly #width = new Set<number>();
  #colour = false;
  #count = 0;
  #notSquare = 0;
  #transparent = 0;

  /** Counts an image. */
  add({ height, width, channels, hasAlpha }: InspectedPicture): void {
    this.#height.add(height);
    this.#width.add(width);
    this.#colour ||= channels === 3;
    this.#count++;
    this.#notSquare += Number(height !== width);
    this.#transparent += Number(hasAlpha);
  }

  /** Height and width where all are alike, else null; 3 channels when any image has colour. */
  common(): { height: number | null; width: number | null; channels: 1 | 3 } {
    const one = (sides: ReadonlySet<number>) => sides.size === 1 ? [...sides][0] : null;
    return { height: one(this.#height), width: one(this.#width), channels: this.#colour ? 3 : 1 };
  }

  /** What is to be said of images that the rule changes. */
  notes(rule: PictureRule): string[] {
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
export class PassedOverCounts {
  readonly #counts = new Map<FilesPassedOver["reason"], { count: number; example: string }>();

  /** Counts a file. */
  add(reason: FilesPassedOver["reason"], path: string): void {
    const own = this.#counts.get(reason);
    if (own) own.count++;
    else this.#counts.set(reason, { count: 1, example: path });
  }

  /** The counts, with the first file of each reason. */
  list(): FilesPassedOver[] {
    return [...this.#counts].map(([reason, { count, example }]) => ({ reason, count, example }));
  }
}
