/**
 * Draws random digits in the format of MNIST: strokes that are slanted, stretched, bent, thick or thin, and noisy.
 *
 * @module
 */
import { randomUint32 } from "../../../model/random.ts";
import type { Bytes } from "../../bytes.ts";
import type { SplitName } from "../dataset.ts";
import { drawGlyph, type Point } from "./glyphs.ts";

/** Height and width of an image in pixels, as in MNIST. */
export const DIGIT_SIZE = 28;

/** A sequence of random numbers. */
class RandomSequence {
  #next = 0;
  constructor(readonly words: Uint32Array) {}

  /** Returns a uniform number in [min, max). */
  uniform(min: number, max: number): number {
    return min + (max - min) * this.words[this.#next++] * 2 ** -32;
  }

  /** Returns an approximately normal number of mean 0 and deviation 1: the sum of three uniform numbers. */
  normal(): number {
    return this.uniform(-1, 1) + this.uniform(-1, 1) + this.uniform(-1, 1);
  }
}

/** Random numbers for the shape of an image. One number for the noise of each pixel follows. */
const SHAPE_NUMBERS = 96;

/** Creates a random distortion in pixels: an affine map, and waves of long wavelength (elastic distortion). */
function createWarp(random: RandomSequence): (point: Point) => Point {
  const angle = 0.1 * random.normal(), shear = 0.16 * random.normal();
  const scaleX = 8.2 * (1 + 0.13 * random.normal()), scaleY = 9.6 * (1 + 0.08 * random.normal());
  const centreX = 14 + 0.6 * random.normal(), centreY = 14 + 0.6 * random.normal();
  const waves = Array.from({ length: 4 }, () => ({
    kx: random.uniform(-2.6, 2.6),
    ky: random.uniform(-2.6, 2.6),
    phase: random.uniform(0, 2 * Math.PI),
    dx: 0.05 * random.normal(),
    dy: 0.05 * random.normal(),
  }));
  const cos = Math.cos(angle), sin = Math.sin(angle);
  return ([x0, y0]) => {
    let x = x0, y = y0;
    for (const { kx, ky, phase, dx, dy } of waves) {
      const wave = Math.sin(kx * x0 + ky * y0 + phase);
      x += dx * wave;
      y += dy * wave;
    }
    x += shear * -y;
    return [centreX + scaleX * (cos * x - sin * y), centreY + scaleY * (sin * x + cos * y)];
  };
}

/** Draws strokes with a round pen and antialiased edges. @param ink value of a covered pixel, 0 to 1 */
function drawStrokes(strokes: readonly Point[][], radius: number, ink: number): Float32Array {
  const values = new Float32Array(DIGIT_SIZE * DIGIT_SIZE);
  for (const stroke of strokes) {
    for (let i = 1; i < stroke.length; i++) drawSegment(values, stroke[i - 1], stroke[i], radius, ink);
  }
  return values;
}

/** Draws the segment from a to b. */
function drawSegment(
  values: Float32Array,
  [ax, ay]: Point,
  [bx, by]: Point,
  radius: number,
  ink: number,
): void {
  const reach = radius + 1, covered = radius + 0.5;
  // Beyond this squared distance a pixel is not covered, whatever the rounding.
  const far = covered ** 2 + 1e-6;
  const first = (a: number, b: number) => Math.max(0, Math.floor(Math.min(a, b) - reach));
  const last = (a: number, b: number) => Math.min(DIGIT_SIZE - 1, Math.ceil(Math.max(a, b) + reach));
  const minX = first(ax, bx), maxX = last(ax, bx), minY = first(ay, by), maxY = last(ay, by);
  const dx = bx - ax, dy = by - ay, length2 = dx * dx + dy * dy;
  for (let y = minY; y <= maxY; y++) {
    for (let x = minX; x <= maxX; x++) {
      const px = x + 0.5 - ax, py = y + 0.5 - ay;
      const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
      const distance2 = (px - t * dx) ** 2 + (py - t * dy) ** 2;
      if (distance2 > far) continue;
      const value = ink * Math.min(1, Math.max(0, covered - Math.sqrt(distance2)));
      if (value > values[y * DIGIT_SIZE + x]) values[y * DIGIT_SIZE + x] = value;
    }
  }
}

/** A digit and its image. */
export interface LabelledDigit {
  readonly label: number;
  /** `[28, 28, 1]`, 0 to 255. */
  readonly pixels: Bytes;
}

/**
 * Draws one image. It depends only on the seed, the split and the index.
 *
 * @example
 * ```ts
 * import { drawDigit } from "./drawDigit.ts";
 *
 * const { label, pixels } = drawDigit(0, "train", 41); // pixels: 28 * 28 bytes
 * ```
 */
export function drawDigit(seed: number, split: SplitName, index: number): LabelledDigit {
  const words = randomUint32(
    { seed, purpose: `digits/${split}`, step: index },
    SHAPE_NUMBERS + DIGIT_SIZE * DIGIT_SIZE,
  );
  const random = new RandomSequence(words.subarray(0, SHAPE_NUMBERS));
  const label = Math.floor(random.uniform(0, 10));
  const strokes = drawGlyph(label, () => random.uniform(0, 1));
  const warp = createWarp(random);
  const radius = Math.max(0.55, 1.15 + 0.3 * random.normal());
  const ink = random.uniform(0.75, 1), noise = random.uniform(0, 0.1);
  const values = drawStrokes(strokes.map((stroke) => stroke.map(warp)), radius, ink);
  const pixels = new Uint8Array(DIGIT_SIZE * DIGIT_SIZE);
  for (let i = 0; i < pixels.length; i++) {
    const grain = noise * (2 * words[SHAPE_NUMBERS + i] * 2 ** -32 - 1);
    // The background stays black, as in MNIST, except for rare specks. Only the ink has grain.
    const speck = Math.abs(grain) > 0.096 ? 0.3 : 0;
    pixels[i] = Math.round(
      255 * Math.min(1, Math.max(0, values[i] > 0 ? values[i] * (1 + 2 * grain) : speck)),
    );
  }
  return { label, pixels };
}
