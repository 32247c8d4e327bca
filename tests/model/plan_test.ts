import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { planTraining } from "../../model/backends/simd/plan/planTraining.ts";
import type { MaeConfig } from "../../model/config.ts";
import { trainingBytes } from "../../model/memory.ts";
import { PRESETS } from "../../model/presets.ts";
import { type Architecture, isTrainable, type ParameterSpec, parameterSpecs } from "../../model/weights.ts";
import { CASES, options, run } from "./planCases.ts";

for (const { name, architecture, more } of CASES) {
  Deno.test(`planned steps agree with TensorFlow.js for any number of threads and images and either width of vectors: ${name}`, async () => {
    const eager = await run("cpu", options(architecture, 1, more));
    for (const threads of [1, 2, 5]) {
      const planned = await run("simd", options(architecture, threads, more));
      const wide = await run("simd", options(architecture, threads, more), { select: { vectorBits: 256 } });
      expect(wide).toEqual(planned);
      expect(planned.threads).toBe(threads);
      planned.losses.forEach((loss, i) =>
        expect(Math.abs(loss - eager.losses[i])).toBeLessThan(1e-5 * eager.losses[i])
      );
      for (const [key, { data }] of planned.state.weights) {
        const expected = eager.state.weights.get(key)!.data;
        data.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-6));
      }
      expect(planned.state.optimizer.step).toBe(eager.state.optimizer.step);
    }
  });
}

Deno.test("stochastic depth changes a training, but not one with a frozen encoder", async () => {
  const losses = async (architecture: Architecture, freezeEncoder: boolean, dropPath: number) => {
    const config = {
      ...PRESETS.mnist,
      imageSize: 9,
      patchSize: 3,
      inChannels: 3,
      depth: 2,
      dropPath,
    } as const;
    return (await run("simd", options(architecture, 2, { config, freezeEncoder }))).losses;
  };
  const classifier = { model: "classifier", classes: 3 } as const;
  for (const architecture of [{ model: "mae" }, classifier] as const) {
    expect(await losses(architecture, false, 0.5)).not.toEqual(await losses(architecture, false, 0));
  }
  expect(await losses(classifier, true, 0.5)).toEqual(await losses(classifier, true, 0));
});

Deno.test("trainingBytes() is an upper estimate of the smallest plan, at most a few per cent above it", async () => {
  await selectBackend("simd");
  const { mnist, vit_tiny, vit_base, vit_large } = PRESETS;
  const shallow = { ...vit_base, depth: 2, decoderDepth: 1 };
  const withoutClass = { ...shallow, clsToken: false, positions: "sincos_1d", normPixLoss: false } as const;
  const fewTokens = { ...withoutClass, imageSize: 32, decoderEmbedDim: 16, decoderNumHeads: 4 };
  const configs: MaeConfig[] = [
    ...[mnist, vit_tiny, vit_large, { ...withoutClass, dropout: 0.1 }, { ...withoutClass, imageSize: 512 }],
    ...[fewTokens, { ...fewTokens, embedDim: 8, numHeads: 1 }, { ...fewTokens, clsToken: true }],
    { ...vit_tiny, depth: 32, dropPath: 0.3, fcNorm: true },
    { ...shallow, dropPath: 0.1, dropout: 0.1, pool: "cls" },
    { ...mnist, clsToken: true, dropPath: 0.1 },
  ];
  const classifier = { model: "classifier", classes: 10 } as const;
  const manyClasses = { model: "classifier", classes: 4096 } as const;
  const tasks = [
    ...[[{ model: "mae" }, false], [classifier, false], [classifier, true]] as const,
    ...[[manyClasses, false], [manyClasses, true]] as const,
  ];
  for (const config of configs) {
    for (const [architecture, freezeEncoder] of tasks) {
      for (const batchSize of [1, 4]) {
        const specs = parameterSpecs(config, architecture);
        const isFrozen = ({ name }: ParameterSpec) => !isTrainable(name, freezeEncoder);
        const options = {
          task: { config, architecture, freezeEncoder, seed: 0 },
          trainable: specs.filter((spec) => !isFrozen(spec)),
          // A plan depends on the shapes alone.
          frozen: new Map(
            specs.filter(isFrozen).map(({ name, shape }) => [name, { shape, data: new Float32Array() }]),
          ),
          weights: new Map(),
          optimizer: { weightDecay: 0, betas: [0.9, 0.999], eps: 1e-8 } as const,
          batchSize,
          threads: 1,
        };
        const estimate = trainingBytes({ config, architecture, freezeEncoder }, batchSize);
        // A memory of the estimated size suffices.
        const { layout } = await planTraining({ ...options, maxBytes: estimate });
        // In a small model, alignment and scratch memory count.
        expect(estimate).toBeLessThan(1.1 * layout.bytes + 2 ** 19);
      }
    }
  }
});

Deno.test("the largest preset is planned with every thread, in a memory with 64-bit addresses", async () => {
  await selectBackend("simd");
  const config = PRESETS.vit_huge;
  for (const architecture of [{ model: "mae" }, { model: "classifier", classes: 1000 }] as const) {
    const { threads, addressBits, layout } = planTraining({
      task: { config, architecture, seed: 0 },
      trainable: parameterSpecs(config, architecture),
      frozen: new Map(),
      weights: new Map(),
      optimizer: { weightDecay: 0, betas: [0.9, 0.95], eps: 1e-8 },
      batchSize: 4,
      threads: 2,
    });
    expect({ threads, addressBits }).toEqual({ threads: 2, addressBits: 64 });
    expect(layout.bytes / 2 ** 30).toBeLessThan(15);
  }
});
