import { expect } from "expect";
import type { ImageSet } from "../../../data/datasets/dataset.ts";
import { type BatchOptions, epochBatches } from "../../../data/datasets/loader.ts";

const set: ImageSet = {
  imageSize: 2,
  channels: 1,
  count: 10,
  pixels: Uint8Array.from({ length: 40 }, (_, i) => i * 6),
  labels: Uint16Array.from({ length: 10 }, (_, i) => i),
};
/** Copies the pixels of batches, which the next batch would overwrite. */
const batchesOf = (options: BatchOptions) =>
  Array.from(epochBatches(set, options), (batch) => ({ ...batch, pixels: batch.pixels.slice() }));
const options = { batchSize: 4, dropLast: true, seed: 3, epoch: 0, shuffle: true };

Deno.test("an epoch has every image once, scaled to [0, 1], with its label", () => {
  const batches = batchesOf({ ...options, dropLast: false });
  expect(batches.map((batch) => batch.indices.length)).toEqual([4, 4, 2]);
  expect(batches.flatMap((batch) => [...batch.indices]).sort((a, b) => a - b)).toEqual([...Array(10).keys()]);
  for (const { pixels, labels, indices } of batches) {
    expect([...labels!]).toEqual([...indices]);
    indices.forEach((index, row) => expect(pixels[row * 4]).toBe(Math.fround(index * 24 / 255)));
  }
});

Deno.test("drop_last leaves out a short batch, and the order depends only on seed and epoch", () => {
  const order = (change: object) => batchesOf({ ...options, ...change }).map((batch) => [...batch.indices]);
  expect(order({}).length).toBe(2);
  expect(order({})).toEqual(order({}));
  expect(order({ epoch: 1 })).not.toEqual(order({}));
  expect(order({ seed: 4 })).not.toEqual(order({}));
  expect(order({ shuffle: false })).toEqual([[0, 1, 2, 3], [4, 5, 6, 7]]);
});

Deno.test("an epoch can be resumed at any batch", () => {
  const all = batchesOf({ ...options, dropLast: false });
  expect(batchesOf({ ...options, dropLast: false, startBatch: 2 })).toEqual(all.slice(2));
});
