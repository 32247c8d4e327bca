/**
 * Drawn digits in MNIST's form: ten classes of strokes, slanted, stretched, bent, thick or thin, and noisy. Every
 * image follows from (seed, split, index) alone, so that a set of any size begins with the smaller ones.
 *
 * @module
 */
import { randomUint32 } from "../../../model/random.ts";
import { resizeRaw } from "../../images/resizeImage.ts";
import { DEFAULT_PREPROCESSING } from "../../images/preprocessing.ts";
import { type Dataset, type DatasetInfo, type SplitName } from "../dataset.ts";
import { type InputShape } from "../../images/imageShape.ts";
import { glyphOf, type Point } from "./glyphs.ts";
import { checkMemory, DEFAULT_MAX_SPLIT_BYTES } from "../memoryLimit.ts";
import { checkIndex } from "../stored/storedDataset.ts";

/** Side of an image in pixels, as MNIST's. */
const SIZE = 28;
/** Training images when no size is asked for. */
export const DIGITS_TRAIN = 10_000;
/** Test images, whatever the size of the training split. */
export const DIGITS_TEST = 2_000;

/** What is known of `digits`. @param train number of training images */
export function digitsInfo(train: number = DIGITS_TRAIN): DatasetInfo {
  return {
    id: "digits",
    name: "Drawn digits",
    source: "builtin",
    format: "raw",
    height: SIZE,
    width: SIZE,
    channels: 1,
    splits: { train: { count: train }, test: { count: DIGITS_TEST } },
    labelled: true,
    numClasses: 10,
    classNames: Array.from({ length: 10 }, (_, digit) => String(digit)),
    ...DEFAULT_PREPROCESSING,
    notes: [],
    size: 0,
    createdAt: "2026-11-24T00:00:00.000Z",
  };
}

/** Numbers for one image, drawn one after the other. */
class Draws {
  #at = 0;
  constructor(readonly words: Uint32Array) {}

  /** Uniform in [from, to). */
  between(from: number, to: number): number {
    return from + (to - from) * this.words[this.#at++] * 2 ** -32;
  }

  /** Roughly normal, mean 0, deviation 1: the sum of three uniforms. */
  bell(): number {
    return this.between(-1, 1) + this.between(-1, 1) + this.between(-1, 1);
  }
}

/** Numbers that the shape of an image takes; its noise takes one for each pixel after them. */
const SHAPE_DRAWS = 96;

/** Slant, stretch, turn and place (affine), then bends of long wavelength (elastic), in pixels. */
function warp(draws: Draws): (point: Point) => Point {
  const angle = 0.1 * draws.bell(), shear = 0.16 * draws.bell();
  const wide = 8.2 * (1 + 0.13 * draws.bell()), high = 9.6 * (1 + 0.08 * draws.bell());
  const left = 14 + 0.6 * draws.bell(), top = 14 + 0.6 * draws.bell();
  const waves = Array.from({ length: 4 }, () => ({
    kx: draws.between(-2.6, 2.6),
    ky: draws.between(-2.6, 2.6),
    phase: draws.between(0, 2 * Math.PI),
    dx: 0.05 * draws.bell(),
    dy: 0.05 * draws.bell(),
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
    return [left + wide * (cos * x - sin * y), top + high * (sin * x + cos * y)];
  };
}

/** Squared distance from a pixel's middle to a line. */
function distance2(px: number, py: number, [ax, ay]: Point, [bx, by]: Point): number {
  const dx = bx - ax, dy = by - ay;
  const length2 = dx * dx + dy * dy;
  const t = length2 === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / length2));
  return (px - ax - t * dx) ** 2 + (py - ay - t * dy) ** 2;
}

/** Ink of the strokes: full within the pen's radius, fading over one pixel. */
function draw(strokes: readonly Point[][], radius: number, ink: number): Float32Array {
  const values = new Float32Array(SIZE * SIZE);
  const reach = radius + 1;
  for (const stroke of strokes) {
    for (let i = 1; i < stroke.length; i++) {
      const a = stroke[i - 1], b = stroke[i];
      const from = (axis: 0 | 1) => Math.max(0, Math.floor(Math.min(a[axis], b[axis]) - reach));
      const to = (axis: 0 | 1) => Math.min(SIZE - 1, Math.ceil(Math.max(a[axis], b[axis]) + reach));
      for (let y = from(1); y <= to(1); y++) {
        for (let x = from(0); x <= to(0); x++) {
          const cover = radius + 0.5 - Math.sqrt(distance2(x + 0.5, y + 0.5, a, b));
          const value = ink * Math.min(1, Math.max(0, cover));
          if (value > values[y * SIZE + x]) values[y * SIZE + x] = value;
        }
      }
    }
  }
  return values;
}

/** Draws one image. @returns its label and `[28, 28, 1]`, 0 to 255 */
export function drawDigit(
  seed: number,
  split: SplitName,
  index: number,
): { label: number; pixels: Uint8Array<ArrayBuffer> } {
  const words = randomUint32({ seed, purpose: `digits/${split}`, step: index }, SHAPE_DRAWS + SIZE * SIZE);
  const draws = new Draws(words.subarray(0, SHAPE_DRAWS));
  const label = Math.floor(draws.between(0, 10));
  const strokes = glyphOf(label, () => draws.between(0, 1));
  const moved = warp(draws);
  const radius = Math.max(0.55, 1.15 + 0.3 * draws.bell());
  const ink = draws.between(0.75, 1), noise = draws.between(0, 0.1);
  const values = draw(strokes.map((stroke) => stroke.map(moved)), radius, ink);
  const pixels = new Uint8Array(SIZE * SIZE);
  for (let i = 0; i < pixels.length; i++) {
    const grain = noise * (2 * words[SHAPE_DRAWS + i] * 2 ** -32 - 1);
    // Paper stays black as MNIST's does; the grain is in the ink and, seldom, a speck beside it.
    const speck = Math.abs(grain) > 0.096 ? 0.3 : 0;
    pixels[i] = Math.round(
      255 * Math.min(1, Math.max(0, values[i] > 0 ? values[i] * (1 + 2 * grain) : speck)),
    );
  }
  return { label, pixels };
}

/** The data set `digits`. @param size training images @param seed of the drawing */
export function openDigits(
  size: number = DIGITS_TRAIN,
  seed = 0,
  maxBytes: number = DEFAULT_MAX_SPLIT_BYTES,
): Dataset {
  const info = digitsInfo(size);
  const fill = async (
    split: SplitName,
    indices: Iterable<number>,
    count: number,
    form: InputShape,
    signal?: AbortSignal,
  ) => {
    const values = form.imageSize ** 2 * form.channels;
    checkMemory(count, form, split, maxBytes);
    const pixels = new Uint8Array(count * values), labels = new Uint16Array(count);
    const plain = form.imageSize === SIZE && form.channels === 1;
    let at = 0;
    for (const index of indices) {
      if (at % 1000 === 0) {
        signal?.throwIfAborted();
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      const digit = drawDigit(seed, split, index);
      const picture = plain
        ? digit.pixels
        : await resizeRaw(digit.pixels, { height: SIZE, width: SIZE, channels: 1 }, form);
      pixels.set(picture, at * values);
      labels[at] = digit.label;
      at++;
    }
    return { ...form, count, pixels, labels };
  };
  return {
    info,
    load: (split, form, signal) => {
      const { count } = info.splits[split];
      return fill(split, new Array<number>(count).keys(), count, form, signal);
    },
    read: async (split, indices, form) => {
      indices.forEach((index) => checkIndex(index, info.splits[split].count, split));
      return await fill(split, indices, indices.length, form);
    },
  };
}
