/**
 * Stratified hold-out: the selection of training images that become the test split.
 *
 * @module
 */
import { randomUint32 } from "../../../model/random.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";
import { quotedList } from "../quoted.ts";
import { DatasetError } from "../dataset.ts";
import type { UploadOptions } from "./uploadOptions.ts";

/** Images processed between two yields to the event loop. */
const BLOCK_IMAGES = 65_536;

/** The images from which the hold-out is selected. */
export interface TrainingImages {
  readonly count: number;
  /** A label for each image, 0 to 65,535; null without classes. */
  readonly labels: ArrayLike<number> | null;
}

/** The selected images. */
export interface HoldOut {
  /** Indices of the images, ascending. */
  readonly rows: Uint32Array<ArrayBuffer>;
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/**
 * Returns the share of the training images to hold out.
 *
 * @param hasTest whether the upload has test images
 * @throws {DatasetError} if the upload has test images and a share
 */
export function holdOutShare({ heldOut }: UploadOptions, hasTest: boolean): number {
  if (!hasTest) return heldOut ?? 0.1;
  if (heldOut === undefined || heldOut === 0) return 0;
  throw new DatasetError("must be left out if test images are uploaded", "held_out");
}

/**
 * Selects a share of the images, stratified by class. The number of each class is rounded so that the total is exact,
 * and every class keeps at least one image. All images of a class are equally likely, and the selection depends only on
 * the seed (selection sampling, Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2S).
 *
 * @param share 0 to 0.5
 * @param className returns the name of a label for notes
 */
export async function selectHoldOut(
  { count, labels }: TrainingImages,
  share: number,
  { heldOut, seed = 0 }: UploadOptions,
  className: (label: number) => string,
): Promise<HoldOut> {
  const sizes = new Map<number, number>();
  for (let start = 0; start < count; start += BLOCK_IMAGES) {
    for (let row = start; row < Math.min(count, start + BLOCK_IMAGES); row++) {
      const label = labels ? labels[row] : 0;
      sizes.set(label, (sizes.get(label) ?? 0) + 1);
    }
    await yieldToEventLoop();
  }
  // 20 x 0.15 is 2.9999… in floating point.
  const quotas = classQuotas(sizes, Math.floor(count * share + 1e-9), seed);
  const rows = new Uint32Array([...quotas.values()].reduce((sum, quota) => sum + quota, 0));
  const remainingSizes = new Map(sizes);
  let selected = 0;
  for (let start = 0; start < count && selected < rows.length; start += BLOCK_IMAGES) {
    const end = Math.min(count, start + BLOCK_IMAGES);
    const words = randomUint32({ seed, purpose: "held_out/image" }, end - start, start);
    for (let row = start; row < end; row++) {
      const label = labels ? labels[row] : 0;
      const remaining = remainingSizes.get(label)!, quota = quotas.get(label)!;
      remainingSizes.set(label, remaining - 1);
      if (words[row - start] * 2 ** -32 * remaining >= quota) continue;
      quotas.set(label, quota - 1);
      rows[selected++] = row;
    }
    await yieldToEventLoop();
  }
  const singles = labels ? [...sizes].filter(([, size]) => size === 1).map(([label]) => label) : [];
  return { rows, notes: holdOutNotes(singles.sort(ascending).map(className), rows.length, heldOut, count) };
}

/** @param singles names of the classes with a single image @param share the requested share, if any */
function holdOutNotes(
  singles: readonly string[],
  selected: number,
  share: number | undefined,
  count: number,
): string[] {
  if (singles.length > 0) {
    return [
      `Classes with a single image (${quotedList(singles)}) are only in the training split: their images ` +
      "are not held out.",
    ];
  }
  return selected === 0 && share
    ? [`No image is held out: ${share} of ${count} is less than one image.`]
    : [];
}

const ascending = (a: number, b: number) => a - b;

/**
 * Returns the number of images to hold out of each class: the exact number rounded down, and the rest by the largest
 * remainders (Hamilton's method). The seed breaks ties. Every class keeps at least one image.
 */
function classQuotas(sizes: ReadonlyMap<number, number>, total: number, seed: number): Map<number, number> {
  const count = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const labels = [...sizes.keys()].sort(ascending);
  const ties = randomUint32({ seed, purpose: "held_out/class" }, labels.length);
  const classes = labels.map((label, i) => {
    const exact = total * sizes.get(label)! / count;
    const max = sizes.get(label)! - 1;
    return {
      label,
      max,
      quota: Math.min(Math.floor(exact), max),
      remainder: exact - Math.floor(exact),
      tie: ties[i],
    };
  });
  let missing = total - classes.reduce((sum, { quota }) => sum + quota, 0);
  const order = classes.toSorted((a, b) => b.remainder - a.remainder || a.tie - b.tie || a.label - b.label);
  while (missing > 0) {
    const before = missing;
    for (const entry of order) {
      if (missing === 0 || entry.quota >= entry.max) continue;
      entry.quota++;
      missing--;
    }
    if (missing === before) break;
  }
  return new Map(classes.map(({ label, quota }) => [label, quota]));
}
