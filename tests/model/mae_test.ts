import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { type MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { checkWeights } from "../../model/checkWeights.ts";
import { classifyBatch, embedBatch, reconstruct } from "../../model/inference.ts";
import { toTensors } from "../../model/transformer.ts";
import { bufferTensors, type HostTensor, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { randomMasking, takeVisible } from "../../model/masking.ts";
import { patchify, unpatchify } from "../../model/patches.ts";
import { sinusoidalPositions } from "../../model/positions.ts";
import { uniform } from "../../model/random.ts";
import { learningRate } from "../../model/training/schedule.ts";

const config: MaeConfig = {
  ...PRESETS.mnist,
  imageSize: 12,
  patchSize: 4,
  inChannels: 3,
  embedDim: 8,
  depth: 1,
  numHeads: 2,
  decoderEmbedDim: 8,
  decoderDepth: 1,
  decoderNumHeads: 2,
};
const weights = initialWeights(parameterSpecs(config, { model: "mae" }), 1);
const pixels = uniform({ seed: 2, purpose: "images" }, 2 * 12 * 12 * 3);

Deno.test("patchify orders values by row, column and channel, and unpatchify is its inverse", () => {
  // The value of each pixel encodes its position: 1000 · y + 10 · x + channel.
  const image = Float32Array.from({ length: 12 * 12 * 3 }, (_, i) => {
    return 1000 * Math.floor(i / 36) + 10 * (Math.floor(i / 3) % 12) + i % 3;
  });
  const patches = patchify(image, config);
  const patch = patches.slice(5 * 48, 6 * 48);
  expect([...patch.slice(0, 6)]).toEqual([4080, 4081, 4082, 4090, 4091, 4092]);
  expect(patch[47]).toBe(7112);
  expect(unpatchify(patches, config)).toEqual(image);
});

Deno.test("positions are interleaved sines and cosines of decreasing frequency", () => {
  const table = sinusoidalPositions(5, 6);
  for (let position = 0; position < 5; position++) {
    for (let i = 0; i < 3; i++) {
      const angle = position / 10_000 ** (2 * i / 6);
      expect(table[position * 6 + 2 * i]).toBeCloseTo(Math.sin(angle), 6);
      expect(table[position * 6 + 2 * i + 1]).toBeCloseTo(Math.cos(angle), 6);
    }
  }
});

Deno.test("masking sorts few and many patches stably", () => {
  for (const patches of [5, 64, 65, 300]) {
    // Each value occurs about three times, which tests the order of equal values.
    const draws = uniform({ seed: 7, purpose: "ties" }, patches);
    const noise = draws.map((value) => Math.floor(value * patches / 3) / patches);
    const sorted = [...noise.keys()].sort((a, b) => noise[a] - noise[b] || a - b);
    const { idsKeep, idsRestore } = randomMasking(noise, 1, patches, 0.4);
    expect([...idsKeep]).toEqual(sorted.slice(0, idsKeep.length));
    sorted.forEach((patch, rank) => expect(idsRestore[patch]).toBe(rank));
  }
});

Deno.test("masking keeps the patches with the smallest noise, and every patch about equally often", () => {
  const noise = uniform({ seed: 3, purpose: "mask" }, 4000 * 9);
  const { keep, idsKeep, idsRestore, mask } = randomMasking(noise, 4000, 9, 0.75);
  expect(keep).toBe(2);
  const counts = new Array(9).fill(0);
  for (let b = 0; b < 4000; b++) {
    const row = [...noise.slice(b * 9, b * 9 + 9)];
    const order = row.map((_, i) => i).sort((i, j) => row[i] - row[j]);
    expect([...idsKeep.slice(b * 2, b * 2 + 2)]).toEqual(order.slice(0, 2));
    for (let i = 0; i < 9; i++) {
      expect(order[idsRestore[b * 9 + i]]).toBe(i);
      expect(mask[b * 9 + i]).toBe(order.indexOf(i) < 2 ? 0 : 1);
      counts[i] += 1 - mask[b * 9 + i];
    }
  }
  // 4000 · 2 / 9 = 889, deviation 26
  for (const count of counts) expect(Math.abs(count - 889)).toBeLessThan(130);
});

Deno.test("equal noise is ordered by index, and visible rows have the shuffled order", () => {
  const masking = randomMasking(new Float32Array(4), 1, 4, 0.5);
  expect([...masking.idsKeep]).toEqual([0, 1]);
  const shuffled = randomMasking(Float32Array.of(0.9, 0.1, 0.5, 0.3), 1, 4, 0.5);
  expect([...takeVisible(Float32Array.of(0, 0, 1, 1, 2, 2, 3, 3), shuffled, 2)]).toEqual([1, 1, 3, 3]);
});

Deno.test("changing a masked patch changes no prediction", async () => {
  await selectBackend("wasm");
  const model = toTensors(weights);
  const key = { seed: 4, maskRatio: 0.5 };
  const first = await reconstruct(model, config, pixels, key);
  const patches = patchify(pixels, config);
  const firstPatch = (maskValue: number) => first.mask.indexOf(maskValue);
  const changed = (patch: number) => {
    const copy = patches.slice();
    for (let i = 0; i < 48; i++) copy[patch * 48 + i] = 1 - copy[patch * 48 + i];
    return unpatchify(copy, config);
  };
  expect((await reconstruct(model, config, changed(firstPatch(1)), key)).pred).toEqual(first.pred);
  expect((await reconstruct(model, config, changed(firstPatch(0)), key)).pred).not.toEqual(first.pred);
  expect((await reconstruct(model, config, pixels, key)).losses).toEqual(first.losses);

  const expectedLosses = [0, 1].map((image) => {
    let total = 0;
    for (let p = image * 9; p < image * 9 + 9; p++) {
      if (first.mask[p] === 0) continue;
      for (let i = p * 48; i < p * 48 + 48; i++) total += (first.pred[i] - patches[i]) ** 2 / 48;
    }
    return total / 5;
  });
  expectedLosses.forEach((loss, image) => expect(first.losses[image]).toBeCloseTo(loss, 6));
  tf.dispose(model);
});

Deno.test("class probabilities add up to 1, and embeddings do not depend on the rest of the batch", async () => {
  await selectBackend("wasm");
  const model = toTensors(initialWeights(parameterSpecs(config, { model: "classifier", classes: 4 }), 1));
  const { probabilities, predicted } = await classifyBatch(model, config, pixels);
  for (let row = 0; row < 2; row++) {
    const distribution = [...probabilities.slice(row * 4, row * 4 + 4)];
    expect(distribution.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(distribution[predicted[row]]).toBe(Math.max(...distribution));
  }
  const both = await embedBatch(model, config, pixels);
  const second = await embedBatch(model, config, pixels.slice(432));
  second.forEach((value, i) => expect(value).toBeCloseTo(both[8 + i], 5));
  tf.dispose(model);
});

Deno.test("the learning rate has a linear warm-up, then is constant or half a cosine", () => {
  const schedule = { kind: "cosine", lr: 1, minLr: 0.1, warmupSteps: 4, totalSteps: 14 } as const;
  const rates = Array.from({ length: 14 }, (_, step) => learningRate(schedule, step));
  expect(rates.slice(0, 5)).toEqual([0.25, 0.5, 0.75, 1, 1]);
  expect(rates[9]).toBeCloseTo(0.55, 12);
  expect(rates.slice(4).every((rate, i, rest) => i === 0 || rate < rest[i - 1])).toBe(true);
  expect(rates[13]).toBeGreaterThan(0.1);
  expect(learningRate({ ...schedule, kind: "constant" }, 13)).toBe(1);
});

Deno.test("checkWeights refuses tensors that are not the model's and names one", () => {
  const shape = { model: "mae" } as const;
  const all = () => new Map<string, HostTensor>([...bufferTensors(config, shape), ...weights]);
  expect([...checkWeights(all(), config, shape).keys()]).toEqual([...weights.keys()]);
  const table: [what: string, change: (map: Map<string, HostTensor>) => void, message: RegExp][] = [
    ["missing", (map) => map.delete("encoder.norm.bias"), /missing.*encoder\.norm\.bias/],
    ["extra", (map) => map.set("encoder.extra", map.get("encoder.norm.bias")!), /encoder\.extra/],
    ["a prototype's name", (map) => map.set("__proto__", map.get("encoder.norm.bias")!), /__proto__/],
    [
      "another shape",
      (map) => map.set("encoder.norm.bias", { shape: [4], data: new Float32Array(4) }),
      /\[4\].*\[8\]/,
    ],
    [
      "NaN",
      (map) => map.set("encoder.norm.bias", { shape: [8], data: new Float32Array(8).fill(NaN) }),
      /NaN/,
    ],
    ["another table", (map) => {
      const pe = map.get("encoder.pos_embed.pe")!;
      map.set("encoder.pos_embed.pe", { ...pe, data: pe.data.map((value) => value + 0.01) });
    }, /pos_embed\.pe.*sine/],
  ];
  for (const [, change, message] of table) {
    const map = all();
    change(map);
    expect(() => checkWeights(map, config, shape)).toThrow(message);
  }
});
