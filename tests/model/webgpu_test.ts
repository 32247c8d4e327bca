import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { adapterName, isSoftware } from "../../model/backends/webgpu/adapter.ts";
import type { WebgpuBackend } from "../../model/backends/webgpu/backend.ts";
import { Launcher } from "../../model/backends/webgpu/launcher.ts";
import { boundMemory } from "../../model/backends/webgpu/memory.ts";
import { elementwise } from "../../model/backends/webgpu/program.ts";
import { PRESETS } from "../../model/config.ts";
import { adamw } from "../../model/ops/adamw.ts";
import { attention } from "../../model/ops/attention.ts";
import { crossEntropy } from "../../model/ops/cross_entropy.ts";
import { gelu } from "../../model/ops/gelu.ts";
import { layerNorm } from "../../model/ops/layer_norm.ts";
import { linear } from "../../model/ops/linear.ts";
import { maskedLoss } from "../../model/ops/masked_loss.ts";
import { meanPool } from "../../model/ops/mean_pool.ts";
import { native, useNative } from "../../model/ops/native.ts";
import { normal, uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";
import { openStepper } from "../../model/stepper.ts";
import { train } from "../../model/trainer.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { findVulkan } from "../setup/vulkan.ts";
import { testNotFinite, testOperations } from "./operations.ts";
import { collect, options, testTraining } from "./training.ts";

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

Deno.test("software adapters are known by their names, whatever else they say", () => {
  const info = { vendor: "", architecture: "", device: "", description: "" };
  for (
    const description of [
      "llvmpipe (LLVM 15.0.6, 256 bits)",
      "SwiftShader Device",
      "Microsoft Basic Render Driver",
      "CPU",
    ]
  ) expect(isSoftware({ ...info, description })).toBe(true);
  for (
    const description of ["NVIDIA H100 80GB HBM3", "AMD Radeon RX 7900", "Apple M2", "Intel(R) UHD Graphics"]
  ) {
    expect(isSoftware({ ...info, description })).toBe(false);
    expect(isSoftware({ ...info, description, isFallbackAdapter: true })).toBe(true);
  }
  expect(adapterName({ ...info, vendor: "nvidia", architecture: "hopper" })).toBe("hopper");
});

/** Runs a program that does not compile. */
function runInvalid(x: tf.Tensor): tf.Tensor {
  const invalid = elementwise({
    name: "invalid",
    writes: { y: "f32" },
    reads: { x: "f32" },
    numbers: {},
    body: "  y[i] = x[i] + nowhere;",
  });
  const launcher = new Launcher(tf.backend() as WebgpuBackend);
  return launcher.runElements(invalid, x.size, { reads: [x], writes: [x.shape], numbers: [] })[0];
}

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
      stepper.dispose();
    }
    expect(dispatches).toBeLessThanOrEqual(215);
  });

  Deno.test("work of ever other sizes does not fill the device's memory (webgpu)", async () => {
    await selectBackend("webgpu");
    const backend = tf.backend() as WebgpuBackend;
    boundMemory(backend, 0);
    const { bufferManager } = backend, before = bufferManager.numBytesUsed;
    for (let size = 100_000; size < 100_050; size++) {
      const x = tf.ones([size]), y = gelu(x);
      expect((await y.data())[size - 1]).toBeCloseTo(0.841345, 5);
      tf.dispose([x, y]);
      expect(bufferManager.numBytesAllocated).toBeLessThan(before + 4e6);
    }
  });

  Deno.test("auto passes over a processor that plays a GPU, and says so", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const { name, notes } = await selectBackend("auto", { flops: 1e12 });
    if (isSoftware(adapter!.info)) {
      expect(name).toBe("simd");
      expect(notes.join()).toMatch(/webgpu: its only adapter is software/);
    } else expect(name).toBe("webgpu");
  });

  Deno.test("an invalid program makes every read fail, never zeros, until the backend is started anew (webgpu)", async () => {
    await selectBackend("webgpu");
    const x = tf.ones([8]);
    const good = tf.mul(x, 2);
    const y = runInvalid(x);
    await expect(y.data()).rejects.toThrow(/WebGPU failed.*nowhere/s);
    await expect(good.data()).rejects.toThrow(/WebGPU failed/);
    tf.dispose([x, good, y]);

    await selectBackend("webgpu");
    const again = tf.mul(tf.ones([8]), 2);
    expect([...await again.data()]).toEqual(new Array(8).fill(2));
    again.dispose();
  });

  Deno.test("an invalid program makes the step fail before a weight moves (webgpu)", async () => {
    await selectBackend("webgpu");
    useNative({ ...native(), gelu: { forward: (x) => [runInvalid(x), tf.onesLike(x)] } });
    await expect(collect(train(options({ model: "mae" })))).rejects.toThrow(/WebGPU failed.*nowhere/s);
  });

  Deno.test("a device that is lost makes operations and reads fail, and another is opened (webgpu)", async () => {
    await selectBackend("webgpu");
    const x = tf.ones([2000]);
    const y = tf.mul(x, 2);
    (tf.backend() as WebgpuBackend).device.destroy();
    await expect(y.data()).rejects.toThrow(/WebGPU failed/);
    expect(() => tf.mul(x, 3)).toThrow(/WebGPU failed/);
    tf.dispose([x, y]);
    await selectBackend("webgpu");
    expect((await tf.mul(tf.ones([2000]), 2).data())[1999]).toBe(2);
  });
} else Deno.test.ignore("the webgpu backend", () => {});
