import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { evaluate } from "../../model/backends/evaluate.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { linear } from "../../model/ops/linear.ts";
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
