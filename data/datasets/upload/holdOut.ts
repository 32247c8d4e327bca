/**
 * Stratified hold-out: which training images are held out for measuring.
 *
 * @module
 */
import { randomUint32 } from "../../../model/random.ts";
import { yieldToEventLoop } from "../../eventLoop.ts";

/** Images processed between two yields to the event loop. */
const PIECE = 65_536;

/** The images that the hold-out is drawn from. */
export interface Pool {
  readonly count: number;
  /** One label an image, 0 to 65,535; null without classes. */
  readonly labels: ArrayLike<number> | null;
}

/** Images held out. */
export interface HoldOutSelection {
  /** Positions in the pool, ascending. */
  readonly rows: Uint32Array<ArrayBuffer>;
  /** Labels of the classes with a single image, which stays in the training set. */
  readonly single: readonly number[];
}

/**
 * Holds out a share of the images, stratified by class. The number of each class is rounded so that the total is right,
 * and every class keeps at least one image. Within a class all images are equally likely to be held out, and the choice
 * depends only on the seed (selection sampling, Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2S).
 *
 * @param share 0 to 0.5
 */
export async function selectHoldOut(
  { count, labels }: Pool,
  share: number,
  seed: number,
): Promise<HoldOutSelection> {
  const sizes = new Map<number, number>();
  for (let from = 0; from < count; from += PIECE) {
    for (let row = from; row < Math.min(count, from + PIECE); row++) {
      const label = labels ? labels[row] : 0;
      sizes.set(label, (sizes.get(label) ?? 0) + 1);
    }
    await yieldToEventLoop();
  }
  const single = labels
    ? [...sizes].filter(([, size]) => size === 1).map(([label]) => label).sort(ascending)
    : [];
  // 20 x 0.15 is 2.9999… in floating point.
  const wanted = quotas(sizes, Math.floor(count * share + 1e-9), seed);
  const rows = new Uint32Array([...wanted.values()].reduce((sum, quota) => sum + quota, 0));
  const left = new Map(sizes);
  let chosen = 0;
  for (let from = 0; from < count && chosen < rows.length; from += PIECE) {
    const until = Math.min(count, from + PIECE);
    const words = randomUint32({ seed, purpose: "held_out/image" }, until - from, from);
    for (let row = from; row < until; row++) {
      const label = labels ? labels[row] : 0;
      const remaining = left.get(label)!, needed = wanted.get(label)!;
      left.set(label, remaining - 1);
      if (words[row - from] * 2 ** -32 * remaining >= needed) continue;
      wanted.set(label, needed - 1);
      rows[chosen++] = row;
    }
    await yieldToEventLoop();
  }
  return { rows, single };
}

const ascending = (a: number, b: number) => a - b;

/**
 * Number of images held out of each class: its exact part rounded down, and the rest by the largest remainders
 * (Hamilton's method). The seed breaks ties. Every class keeps at least one image.
 */
function quotas(sizes: ReadonlyMap<number, number>, total: number, seed: number): Map<number, number> {
  const count = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const labels = [...sizes.keys()].sort(ascending);
  const ties = randomUint32({ seed, purpose: "held_out/class" }, labels.length);
  const classes = labels.map((label, at) => {
    const exact = total * sizes.get(label)! / count;
    const most = sizes.get(label)! - 1;
    return {
      label,
      most,
      quota: Math.min(Math.floor(exact), most),
      remainder: exact - Math.floor(exact),
      tie: ties[at],
    };
  });
  let missing = total - classes.reduce((sum, { quota }) => sum + quota, 0);
  const order = classes.toSorted((a, b) => b.remainder - a.remainder || a.tie - b.tie || a.label - b.label);
  while (missing > 0) {
    const before = missing;
    for (const one of order) {
      if (missing === 0 || one.quota >= one.most) continue;
      one.quota++;
      missing--;
    }
    if (missing === before) break;
  }
  return new Map(classes.map(({ label, quota }) => [label, quota]));
}
