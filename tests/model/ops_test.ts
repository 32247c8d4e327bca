import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { evaluate } from "../../model/backends/evaluate.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { encoderPathRates } from "../../model/encoder.ts";
import { drawFactors } from "../../model/ops/dropout.ts";
import { addBranch } from "../../model/ops/dropPath.ts";
import { layerNorm } from "../../model/ops/layerNorm.ts";
import { linear } from "../../model/ops/linear.ts";
import { PRESETS } from "../../model/presets.ts";
import { sizeOf } from "../../model/shape.ts";
import { availableBackends } from "../setup/backends.ts";
import { factorsOf, testOperations } from "./operations.ts";
import { testNotFinite, testSizes } from "./sizes.ts";

for (const { name, options } of await availableBackends()) testOperations(name, options);
for (const vectorBits of [128, 256] as const) {
  testSizes("simd", { vectorBits });
  testNotFinite("simd", { vectorBits });
}

Deno.test("dropout preserves the mean, and its factors depend on the key alone", () => {
  const factors = factorsOf("site", [100, 100]);
  expect(new Set(factors.map((value) => Math.fround(value)))).toEqual(new Set([0, Math.fround(1 / 0.6)]));
  expect(Math.abs(factors.reduce((total, factor) => total + factor) / 10_000 - 1)).toBeLessThan(0.05);
  expect(factorsOf("site", [100, 100])).toEqual(factors);
  expect(factorsOf("other", [100, 100])).not.toEqual(factors);
});

Deno.test("stochastic depth skips a branch for some images of the encoder's later blocks while training", async () => {
  await selectBackend("cpu");
  const config = { ...PRESETS.mnist, depth: 5, dropPath: 0.4 };
  const rates = encoderPathRates(config), key = { rate: 0, pathRates: rates, seed: 5, epoch: 1, step: 7 };
  expect([...rates.values()]).toEqual([0, 0, 0.1, 0.1, 0.2, 0.2, 0.4 * 3 / 4, 0.4 * 3 / 4, 0.4, 0.4]);
  expect([...encoderPathRates({ ...config, depth: 1 }).values()]).toEqual([0, 0]);
  const [attention, mlp] = [...rates.keys()].slice(-2);
  const factors = drawFactors(key, attention, 5000);
  expect(new Set(factors)).toEqual(new Set([0, Math.fround(1 / 0.6)]));
  expect(Math.abs(factors.reduce((total, factor) => total + factor) / 5000 - 1)).toBeLessThan(0.05);
  // Both branches of a block, and the steps, are drawn separately; a part of a batch has the factors of its images.
  expect(drawFactors(key, mlp, 5000)).not.toEqual(factors);
  expect(drawFactors({ ...key, step: 8 }, attention, 5000)).not.toEqual(factors);
  const part = { first: 30, images: 12 };
  expect(drawFactors({ ...key, part }, attention, 12)).toEqual(factors.slice(30, 42));
  // Nothing is skipped outside training, in the first block and in the decoder.
  const one = tf.ones([2, 1, 3]);
  for (
    const [drop, site] of [[undefined, attention], [key, [...rates.keys()][0]], [key, "decoder.x"]] as const
  ) {
    expect([...addBranch(one, one, drop, site).dataSync()]).toEqual(new Array(6).fill(2));
  }
});

Deno.test("layer norm has PyTorch's numbers for the smallest eps of published models", async () => {
  // torch.nn.functional.layer_norm(torch.tensor([[1e-5, -1e-5, 2e-5, 0.0]]), [4], eps=1e-12)
  const expected = [0.4454, -1.3363, 1.3363, -0.4454];
  const x = { data: Float32Array.of(1e-5, -1e-5, 2e-5, 0), shape: [1, 4] };
  const compute = (eps: number) => (x: tf.Tensor) => [
    layerNorm(x, tf.ones([4]) as tf.Tensor1D, tf.zeros([4]) as tf.Tensor1D, eps),
  ];
  for (const { name, options } of await availableBackends()) {
    const { planner } = await selectBackend(name, options);
    const [normed] = await evaluate([x], compute(1e-12), planner);
    normed.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 4));
    // The default would hide such small differences.
    const [hidden] = await evaluate([x], compute(1e-5), planner);
    hidden.forEach((value) => expect(Math.abs(value)).toBeLessThan(0.01));
  }
});

Deno.test("a product is right wherever its operands end in the pages of a memory", async () => {
  const compute = (x: tf.Tensor, filler: tf.Tensor) => {
    const weight = tf.ones([4, 12]) as tf.Tensor2D, bias = tf.zeros([4]) as tf.Tensor1D;
    return [tf.grad((x) => linear(x as tf.Tensor2D, weight, bias))(x), tf.add(filler, filler)];
  };
  for (const vectorBits of [128, 256] as const) {
    const { planner } = await selectBackend("simd", { vectorBits });
    for (let lines = 1; lines <= 1024; lines++) {
      const inputs = [[1, 12], [16 * lines]].map((shape) => ({
        shape,
        data: new Float32Array(sizeOf(shape)),
      }));
      const [product] = await evaluate(inputs, compute as (...inputs: tf.Tensor[]) => tf.Tensor[], planner);
      expect([...product]).toEqual(new Array(12).fill(4));
    }
  }
});
