/**
 * Counts of the skipped files of an archive.
 *
 * @module
 */
import type { SkippedFiles } from "../dataset.ts";

/** Counts skipped files by reason. */
export class SkippedFileCounts {
  readonly #counts = new Map<SkippedFiles["reason"], { count: number; example: string }>();

  /** Counts a file. */
  add(reason: SkippedFiles["reason"], path: string): void {
    const entry = this.#counts.get(reason);
    if (entry) entry.count++;
    else this.#counts.set(reason, { count: 1, example: path });
  }

  /** Returns the counts with the first file of each reason. */
  list(): SkippedFiles[] {
    return [...this.#counts].map(([reason, { count, example }]) => ({ reason, count, example }));
  }
}
