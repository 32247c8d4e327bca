import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { PRESETS } from "../../model/presets.ts";
import { classifyBatch, reconstruct } from "../../model/prediction/inference.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { type Architecture, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { adamw } from "../../model/ops/adamw.ts";
import { normal, uniform } from "../../model/random.ts";
import { openStepper } from "../../model/training/stepper.ts";
import { findVulkan } from "../setup/vulkan.ts";
import { errorOf, testNotFinite, testSizes } from "./sizes.ts";
import { testTraining } from "./training.ts";

const vulkan = await findVulkan();

if (vulkan) {
  testSizes("webgpu");
  testNotFinite("webgpu");
  testTraining("webgpu", 1);

  Deno.test("AdamW of any size equals that on the CPU (webgpu)", async () => {
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
      results[1].forEach((values, output) => expect(errorOf(values, results[0][output])).toBeLessThan(1e-6));
    }
  });

  Deno.test("reconstructions, classifications and embeddings equal those on the CPU (webgpu)", async () => {
    const config = { ...PRESETS.mnist, depth: 1, decoderDepth: 1 };
    const pixels = uniform({ seed: 2, purpose: "images" }, 3 * 28 * 28);
    const of = async (backend: string) => {
      await selectBackend(backend);
      const tensors = tf.memory().numTensors;
      const open = (architecture: Architecture) =>
        openPredictor({
          config,
          weights: initialWeights(parameterSpecs(config, architecture), 1),
          threads: 1,
        });
      const mae = await open({ model: "mae" }), classifier = await open({ model: "classifier", classes: 4 });
      const { pred } = await reconstruct(mae, pixels, { seed: 4, maskRatio: 0.5 });
      const { probabilities, predicted } = await classifyBatch(classifier, pixels);
      const embedded = await mae.features(pixels);
      await Promise.all([mae.dispose(), classifier.dispose()]);
      expect(tf.memory().numTensors).toBe(tensors);
      return [pred, probabilities, Float32Array.from(predicted), embedded];
    };
    const expected = await of("wasm");
    (await of("webgpu")).forEach((values, output) =>
      expect(errorOf(values, expected[output])).toBeLessThan(1e-5)
    );
  });

  Deno.test("a step of the mnist config takes few dispatches (webgpu)", async () => {
    await selectBackend("webgpu");
    const config = PRESETS.mnist,
      architecture = { model: "mae" } as const,
      specs = parameterSpecs(config, architecture);
    const stepper = await openStepper({
      task: { config, architecture, seed: 0 },
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
} else Deno.test.ignore("edge sizes and training on webgpu", () => {});
