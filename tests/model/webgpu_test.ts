import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { PRESETS } from "../../model/config.ts";
import { classifyBatch, embedBatch, onBackend, reconstruct } from "../../model/evaluate.ts";
import { adamw } from "../../model/ops/adamw.ts";
import { attention } from "../../model/ops/attention.ts";
import { crossEntropy } from "../../model/ops/cross_entropy.ts";
import { gelu } from "../../model/ops/gelu.ts";
import { layerNorm } from "../../model/ops/layer_norm.ts";
import { linear } from "../../model/ops/linear.ts";
import { maskedLoss } from "../../model/ops/masked_loss.ts";
import { meanPool } from "../../model/ops/mean_pool.ts";
import { normal, uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";
import { openStepper } from "../../model/stepper.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { findVulkan } from "../setup/vulkan.ts";
import { testNotFinite, testOperations } from "./operations.ts";
import { testTraining } from "./training.ts";

const vulkan = await findVulkan();

/** Values of an operation and of its inputs' gradients, for inputs of those shapes. */
async function answers(
  backend: string,
  shapes: readonly number[][],
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (...inputs: any[]) => tf.Tensor,
): Promise<Float32Array[]> {
  await selectBackend(backend);
  const values = (name: string, shape: number[]) =>
    tf.tensor(normal({ seed: 3, purpose: name }, sizeOf(shape)), shape);
  const tensors = tf.tidy(() => {
    const inputs = shapes.map((shape, at) => values(`${at}`, shape));
    const output = op(...inputs);
    const dy = values("dy", output.shape) as tf.Scalar;
    return [output, ...tf.grads((...x) => op(...x) as tf.Scalar)(inputs, dy)];
  });
  const read: Float32Array[] = [];
  for (const tensor of tensors) read.push(await tensor.data() as Float32Array);
  tf.dispose(tensors);
  return read;
}

/** Largest error, over the largest value where that is above 1. */
function errorOf(ours: Float32Array, theirs: Float32Array): number {
  expect(ours.length).toBe(theirs.length);
  let error = 0, most = 1;
  theirs.forEach((value, i) => {
    error = Math.max(error, Math.abs(ours[i] - value));
    most = Math.max(most, Math.abs(value));
  });
  return error / most;
}

const labels = (rows: number) => Int32Array.from({ length: rows }, (_, i) => i % 3);

/** Sizes that fill no workgroup, one row, and those of vit_base: more columns, tokens and rows than one workgroup has. */
const SIZES: readonly {
  name: string;
  shapes: number[][];
  // deno-lint-ignore no-explicit-any -- the operations take tensors of different ranks
  op: (...inputs: any[]) => tf.Tensor;
}[] = [
  { name: "linear of one row", shapes: [[1, 7], [3, 7], [3]], op: linear },
  { name: "linear of many rows", shapes: [[1003, 33], [65, 33], [65]], op: linear },
  { name: "linear of vit_base", shapes: [[2, 50, 768], [768, 768], [768]], op: linear },
  { name: "linear with a long sum", shapes: [[3, 2100], [130, 2100], [130]], op: linear },
  { name: "gelu", shapes: [[3, 777]], op: gelu },
  { name: "layer norm of one row", shapes: [[1, 5], [5], [5]], op: layerNorm },
  { name: "layer norm of narrow rows", shapes: [[67, 3], [3], [3]], op: layerNorm },
  { name: "layer norm of middling rows", shapes: [[33, 100], [100], [100]], op: layerNorm },
  { name: "layer norm of vit_base", shapes: [[2, 197, 768], [768], [768]], op: layerNorm },
  { name: "attention of vit_base", shapes: [[1, 197, 3 * 2 * 64]], op: (x) => attention(x, 2) },
  { name: "attention of 33 tokens and odd heads", shapes: [[3, 33, 3 * 3 * 5]], op: (x) => attention(x, 3) },
  { name: "attention of wide heads", shapes: [[1, 21, 3 * 2 * 100]], op: (x) => attention(x, 2) },
  { name: "attention of the widest heads", shapes: [[1, 9, 3 * 256]], op: (x) => attention(x, 1) },
  {
    name: "attention of heads too wide for our programs",
    shapes: [[1, 5, 3 * 260]],
    op: (x) => attention(x, 1),
  },
  {
    name: "attention of more pictures than a line of workgroups",
    shapes: [[70_000, 1, 3]],
    op: (x) => attention(x, 1),
  },
  { name: "mean over one token", shapes: [[3, 1, 5]], op: meanPool },
  { name: "mean over tokens of vit_base", shapes: [[2, 196, 768]], op: meanPool },
  { name: "cross-entropy of many rows", shapes: [[300, 3]], op: (x) => crossEntropy(x, labels(300)) },
  {
    name: "masked loss of one patch",
    shapes: [[1, 1, 3]],
    op: (x) => maskedLoss(x, tf.zeros([1, 1, 3]), tf.ones([1, 1])),
  },
  {
    name: "masked loss of vit_base",
    shapes: [[4, 196, 768]],
    op: (x) =>
      maskedLoss(
        x,
        tf.ones([4, 196, 768]),
        tf.tensor2d(uniform({ seed: 1, purpose: "m" }, 784).map(Math.round), [4, 196]),
      ),
  },
];

if (vulkan) {
  testOperations("webgpu");
  testNotFinite("webgpu");
  testTraining("webgpu", 1);

  Deno.test("operations of any size give what they give on a processor (webgpu)", async (t) => {
    for (const { name, shapes, op } of SIZES) {
      await t.step(name, async () => {
        const theirs = await answers("wasm", shapes, op), ours = await answers("webgpu", shapes, op);
        ours.forEach((values, at) =>
          expect({ at, close: errorOf(values, theirs[at]) < 1e-5 }).toEqual({ at, close: true })
        );
      });
    }
  });

  Deno.test("AdamW of any size gives what it gives on a processor (webgpu)", async () => {
    for (const size of [1, 257, 70_000]) {
      const results: Float32Array[][] = [];
      for (const backend of ["wasm", "webgpu"]) {
        await selectBackend(backend);
        const tensors = ["param", "grad", "m", "v"].map((purpose) =>
          tf.tensor1d(normal({ seed: 3, purpose }, size).map((value) => purpose === "v" ? value ** 2 : value))
        );
        const step = { lr: 0.01, weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8, step: 7 } as const;
        const after = adamw(tensors[0], tensors[1], tensors[2], tensors[3], step);
        results.push(await Promise.all(after.map((tensor) => tensor.data() as Promise<Float32Array>)));
        tf.dispose([tensors, after]);
      }
      results[1].forEach((values, at) => expect(errorOf(values, results[0][at])).toBeLessThan(1e-6));
    }
  });

  Deno.test("reconstructions, classifications and embeddings are those of a processor (webgpu)", async () => {
    const config = { ...PRESETS.mnist, depth: 1, decoderDepth: 1 };
    const pixels = uniform({ seed: 2, purpose: "pictures" }, 3 * 28 * 28);
    const of = async (backend: string) => {
      await selectBackend(backend);
      const tensors = tf.memory().numTensors;
      const mae = onBackend(initialWeights(parameterSpecs(config, { model: "mae" }), 1));
      const classifier = onBackend(
        initialWeights(parameterSpecs(config, { model: "classifier", classes: 4 }), 1),
      );
      const { pred } = await reconstruct(mae, config, pixels, { seed: 4, maskRatio: 0.5 });
      const { probabilities, predicted } = await classifyBatch(classifier, config, { pixels, labels: null });
      const embedded = await embedBatch(mae, config, pixels);
      tf.dispose([mae, classifier]);
      expect(tf.memory().numTensors).toBe(tensors);
      return [pred, probabilities, Float32Array.from(predicted), embedded];
    };
    const theirs = await of("wasm");
    (await of("webgpu")).forEach((values, at) => expect(errorOf(values, theirs[at])).toBeLessThan(1e-5));
  });

  Deno.test("a step of the mnist config takes few dispatches (webgpu)", async () => {
    await selectBackend("webgpu");
    const config = PRESETS.mnist, shape = { model: "mae" } as const, specs = parameterSpecs(config, shape);
    const stepper = await openStepper({
      task: { config, shape, seed: 0 },
      trainable: specs,
      frozen: new Map(),
      weights: initialWeights(specs, 0),
      optimizer: { weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 },
      batchSize: 2,
      threads: 1,
    });
    const { prototype } = GPUComputePassEncoder, original = prototype.dispatchWorkgroups;
    let dispatches = 0;
    prototype.dispatchWorkgroups = function (x, y, z) {
      dispatches++;
      original.call(this, x, y, z);
    };
    try {
      const run = await stepper.prepare(
        { pixels: new Float32Array(2 * 28 * 28).fill(0.5), labels: null },
        0,
        0,
      );
      expect(await run(1e-3)).toBeGreaterThan(0);
    } finally {
      prototype.dispatchWorkgroups = original;
      await stepper.dispose();
    }
    expect(dispatches).toBeLessThanOrEqual(194);
  });
} else Deno.test.ignore("what webgpu computes", () => {});
