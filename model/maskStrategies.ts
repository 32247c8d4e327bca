/**
 * The choice of the masked patches: one by one, in rectangles, or on a regular grid (He et al. 2022, figure 6).
 *
 * A strategy changes the random noise of an image so that masking by the order of the noise keeps the right patches.
 * The masks of an image therefore depend on its own noise alone.
 *
 * @module
 */
import { type MaeConfig, numKeep, numPatches } from "./config.ts";
import { philox4x32, type RandomKey, uniform } from "./random.ts";

/** How masked patches are chosen. */
export type MaskStrategy = MaeConfig["masking"];

/**
 * Marks `count` patches of an image as masked.
 *
 * @param noise the image's noise, `[side · side]`
 * @returns `[side · side]`: 1 = masked, 0 = visible
 */
type ChoosePatches = (noise: Float32Array, side: number, count: number) => Uint8Array;

/** What the masks of a batch depend on, besides the random key. */
export interface MaskDraw {
  readonly maskRatio: number;
  readonly masking: MaskStrategy;
}

/**
 * Draws the noise from which the masks of images follow. Every image has `numKeep` visible patches.
 *
 * @param images number of images
 * @param first number of the batch's images before the first one
 * @param draw mask ratio and strategy; those of the configuration by default
 * @returns `[images, N]`, for `randomMasking`
 *
 * @example
 * ```ts
 * import { completeConfig } from "./config.ts";
 * import { randomMasking } from "./masking.ts";
 * import { drawMaskNoise } from "./maskStrategies.ts";
 *
 * const config = completeConfig({ masking: "grid" });
 * const noise = drawMaskNoise(config, { seed: 0, purpose: "mask" }, 2);
 * console.log(randomMasking(noise, 2, 49, config.maskRatio).keep); // 12
 * ```
 */
export function drawMaskNoise(
  config: MaeConfig,
  key: RandomKey,
  images: number,
  first = 0,
  { maskRatio, masking }: MaskDraw = config,
): Float32Array<ArrayBuffer> {
  const patches = numPatches(config);
  const noise = uniform(key, images * patches, first * patches);
  if (masking !== "random") applyStrategy(STRATEGIES[masking], noise, patches, maskRatio);
  return noise;
}

/** Adds 1 to the noise of the patches that a strategy masks, so that they are behind all others in its order. */
function applyStrategy(choose: ChoosePatches, noise: Float32Array, patches: number, maskRatio: number): void {
  const side = Math.sqrt(patches), count = patches - numKeep(patches, maskRatio);
  for (let start = 0; start < noise.length; start += patches) {
    const ofImage = noise.subarray(start, start + patches), masked = choose(ofImage, side, count);
    for (let i = 0; i < patches; i++) ofImage[i] += masked[i];
  }
}

/** Smallest area of a rectangle, as a share of the patches: 16 of 14 x 14. Its height is 0.3 to 1 / 0.3 of its width. */
const MIN_AREA = 16 / 196, MIN_ASPECT = 0.3;

/**
 * Masks rectangles of random size and place until enough patches are masked (Bao et al. 2022, "BEiT", algorithm 1). The
 * last rectangle is trimmed: its lower rows stay visible.
 */
const chooseBlocks: ChoosePatches = (noise, side, count) => {
  const masked = new Uint8Array(side * side), minArea = Math.max(1, MIN_AREA * side * side);
  // Each rectangle has its own four random numbers, which depend on the noise of the image.
  const key = [bitsOf(noise[0]), bitsOf(noise[1])] as const, words = new Uint32Array(4);
  const whole = (length: number) => Math.min(side, Math.max(1, Math.round(length)));
  for (let left = count, block = 0; left > 0; block++) {
    philox4x32([block, 0, 0, 0], key, words);
    const area = minArea + words[0] * 2 ** -32 * Math.max(0, left - minArea);
    // The logarithm is uniform: tall is as probable as wide.
    const aspect = MIN_ASPECT ** (1 - words[1] * 2 ** -31);
    const height = whole(Math.sqrt(area * aspect)), width = whole(Math.sqrt(area / aspect));
    const top = Math.floor(words[2] * 2 ** -32 * (side - height + 1));
    const start = Math.floor(words[3] * 2 ** -32 * (side - width + 1));
    for (let row = top; row < top + height; row++) {
      for (let i = row * side + start; i < row * side + start + width && left > 0; i++) {
        left -= 1 - masked[i];
        masked[i] = 1;
      }
    }
  }
  return masked;
};

/**
 * Keeps patches at regular distances. With three quarters masked, one patch of each 2 x 2 cell is visible, at the same
 * place in all cells; the noise selects the place. Other numbers of patches follow the order of a dither matrix (Bayer
 * 1973), whose first entries are spread evenly for any number of them.
 */
const chooseGrid: ChoosePatches = (noise, side, count) => {
  const masked = new Uint8Array(side * side).fill(1), size = 2 ** Math.ceil(Math.log2(side));
  const shiftY = Math.floor(noise[0] * size), shiftX = Math.floor(noise[1] * size);
  for (let rank = 0, left = side * side - count; left > 0; rank++) {
    const { row, column } = ditherPosition(rank, size), y = row ^ shiftY, x = column ^ shiftX;
    if (y >= side || x >= side) continue;
    masked[y * side + x] = 0;
    left--;
  }
  return masked;
};

/** Returns the position of an entry in the dither matrix of `size` x `size` entries, a power of two. */
function ditherPosition(rank: number, size: number): { row: number; column: number } {
  let row = 0, column = 0;
  for (let bit = 1, place = size * size / 4; bit < size; bit *= 2, place /= 4) {
    const entry = Math.floor(rank / place) % 4; // [[0, 2], [3, 1]] in each 2 x 2 cell
    if (entry % 2 === 1) row += bit;
    if (entry === 1 || entry === 2) column += bit;
  }
  return { row, column };
}

/** Returns the 24 random bits of a uniform number. */
function bitsOf(value: number): number {
  return Math.floor(value * 2 ** 24);
}

const STRATEGIES: Readonly<Record<Exclude<MaskStrategy, "random">, ChoosePatches>> = {
  block: chooseBlocks,
  grid: chooseGrid,
};
