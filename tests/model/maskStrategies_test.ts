import { expect } from "expect";
import { completeConfig, type MaeConfig, numKeep, numPatches } from "../../model/config.ts";
import { randomMasking } from "../../model/masking.ts";
import { drawMaskNoise, type MaskStrategy } from "../../model/maskStrategies.ts";
import { objective } from "../../model/training/objective.ts";

const KEY = { seed: 5, purpose: "mask", epoch: 2, step: 3 };

/** Returns a configuration for images of `side` x `side` patches. */
function configOf(side: number, masking: MaskStrategy, maskRatio: number): MaeConfig {
  return completeConfig({ imageSize: 2 * side, patchSize: 2, masking, maskRatio });
}

/** Draws the masks of images, `[side, side]` each with 1 = masked. */
function masksOf(side: number, masking: MaskStrategy, maskRatio: number, images: number): Uint8Array[] {
  const config = configOf(side, masking, maskRatio), patches = numPatches(config);
  const noise = drawMaskNoise(config, KEY, images);
  const { mask } = randomMasking(noise, images, patches, maskRatio);
  return Array.from(
    { length: images },
    (_, image) => Uint8Array.from(mask.subarray(image * patches, (image + 1) * patches)),
  );
}

/** Number of masked patches in a rectangle. */
function maskedIn(mask: Uint8Array, side: number, top: number, left: number, height: number, width: number) {
  let sum = 0;
  for (let y = top; y < top + height; y++) {
    for (let x = left; x < left + width; x++) sum += mask[y * side + x];
  }
  return sum;
}

/** Number of masked patches that belong to no fully masked rectangle of at least `area` patches. */
function outsideRectangles(mask: Uint8Array, side: number, area: number): number {
  const covered = new Uint8Array(mask.length);
  for (let height = 1; height <= side; height++) {
    const width = Math.ceil(area / height);
    for (let top = 0; top + height <= side; top++) {
      for (let left = 0; left + width <= side; left++) {
        if (maskedIn(mask, side, top, left, height, width) < height * width) continue;
        for (let y = top; y < top + height; y++) covered.fill(1, y * side + left, y * side + left + width);
      }
    }
  }
  return mask.reduce((sum, masked, i) => sum + (masked && !covered[i] ? 1 : 0), 0);
}

for (const masking of ["random", "block", "grid"] as const) {
  Deno.test(`${masking}: every image has the same number of visible patches`, () => {
    for (
      const [side, ratio] of [[2, 0.5], [3, 0.75], [4, 0.75], [7, 0.75], [14, 0.4], [14, 0.9], [16, 0.99]]
    ) {
      const keep = numKeep(side * side, ratio);
      for (const mask of masksOf(side, masking, ratio, 20)) {
        expect(maskedIn(mask, side, 0, 0, side, side)).toBe(side * side - keep);
      }
    }
  });

  Deno.test(`${masking}: masks depend on seed, epoch, step and image, and not on the division of a batch`, () => {
    const config = configOf(7, masking, 0.75);
    const all = drawMaskNoise(config, KEY, 6);
    expect(drawMaskNoise(config, KEY, 6)).toEqual(all);
    expect([...drawMaskNoise(config, KEY, 2), ...drawMaskNoise(config, KEY, 4, 2)]).toEqual([...all]);
    for (const other of [{ seed: 6 }, { epoch: 1 }, { step: 4 }]) {
      expect(drawMaskNoise(config, { ...KEY, ...other }, 6)).not.toEqual(all);
    }

    const task = { config, architecture: { model: "mae" }, seed: 5 } as const;
    const batch = { pixels: new Float32Array(6 * 14 * 14), labels: null };
    const maskIn = (first: number, images: number) => [
      ...objective(task, batch, 2, 3, { first, images }).feeds.mask,
    ];
    const whole = maskIn(0, 6);
    expect([...maskIn(0, 1), ...maskIn(1, 5)]).toEqual(whole);
    expect(whole).toEqual([...randomMasking(all, 6, 49, 0.75).mask]);
  });
}

Deno.test("block: the masked patches are rectangles, and one that is trimmed", () => {
  // A rectangle has at least 16 of 14 x 14 patches, less what the rounding of its sides takes away.
  const outside = (masking: MaskStrategy, ratio: number) =>
    masksOf(14, masking, ratio, 50).map((mask) => outsideRectangles(mask, 14, 12));
  for (const ratio of [0.2, 0.4, 0.5]) {
    const counts = outside("block", ratio);
    // Only the trimmed rectangle can be smaller.
    expect(Math.max(...counts)).toBeLessThan(16);
    expect(counts.filter((count) => count > 11).length).toBeLessThan(5);
    expect(Math.min(...outside("random", ratio))).toBeGreaterThan(20);
  }
});

Deno.test("block: every patch is masked in some images", () => {
  const sums = new Uint32Array(49);
  for (const mask of masksOf(7, "block", 0.5, 400)) mask.forEach((masked, i) => sums[i] += masked);
  // Rectangles cover the corners less often than the middle.
  expect(Math.min(...sums)).toBeGreaterThan(40);
  expect(Math.max(...sums)).toBeLessThan(360);
});

Deno.test("grid: three quarters leave one patch of each 2 x 2 cell, at one place that differs between images", () => {
  const places = masksOf(14, "grid", 0.75, 40).map((mask) => {
    const first = mask.indexOf(0), [y, x] = [Math.floor(first / 14), first % 14];
    expect([y < 2, x < 2]).toEqual([true, true]);
    mask.forEach((masked, i) =>
      expect(masked).toBe(Math.floor(i / 14) % 2 === y && i % 14 % 2 === x ? 0 : 1)
    );
    return 2 * y + x;
  });
  expect(new Set(places).size).toBe(4);
});

Deno.test("grid: any number of visible patches is spread evenly", () => {
  for (const [side, ratio] of [[7, 0.75], [14, 0.5], [14, 0.6], [14, 0.9], [8, 0.3]]) {
    for (const mask of masksOf(side, "grid", ratio, 10)) {
      const half = Math.floor(side / 2), size = half * half;
      const counts = [0, side - half].flatMap((top) =>
        [0, side - half].map((left) => size - maskedIn(mask, side, top, left, half, half))
      );
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(Math.ceil(side / 3));
    }
  }
  // Half of them are a chess board.
  for (const mask of masksOf(8, "grid", 0.5, 10)) {
    mask.forEach((masked, i) => expect(masked).toBe((mask[0] + Math.floor(i / 8) + i % 8) % 2));
  }
});
