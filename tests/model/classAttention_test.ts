import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { completeConfig, type MaeConfig } from "../../model/config.ts";
import { inputPatches } from "../../model/normalize.ts";
import { positionTables } from "../../model/positions.ts";
import { classAttention } from "../../model/prediction/classAttention.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { normal, uniform } from "../../model/random.ts";
import { type HostWeights, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { findVulkan } from "../setup/vulkan.ts";

const config = completeConfig({
  imageSize: 9,
  patchSize: 3,
  inChannels: 3,
  embedDim: 12,
  depth: 1,
  numHeads: 3,
  decoderEmbedDim: 8,
  clsToken: true,
  positions: "sincos_2d",
  layerNormEps: 1e-3,
  normalize: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4] },
});
const pixels = uniform({ seed: 2, purpose: "images" }, 3 * 9 * 9 * 3);
const BACKENDS = ["cpu", "simd", ...(await findVulkan() ? ["webgpu"] : [])];

/** Large random weights, so that the attention is not almost uniform. */
function weightsOf(config: MaeConfig): HostWeights {
  const weights = initialWeights(parameterSpecs(config, { model: "mae" }), 1);
  return new Map([...weights].map(([name, { shape, data }]) => {
    const noise = normal({ seed: 4, purpose: name }, data.length);
    return [name, { shape, data: data.map((value, i) => value + 0.4 * noise[i]) }];
  }));
}

async function attentionOf(backend: string, config: MaeConfig): Promise<Float32Array> {
  const { planner } = await selectBackend(backend);
  const predictor = await openPredictor({ config, weights: weightsOf(config), threads: 2 }, planner);
  const attention = await classAttention(predictor, pixels);
  await predictor.dispose();
  return attention;
}

/** The attention of a model with one block, in float64. `[images · heads][patches]` */
function expectedAttention(): number[][] {
  const weights = weightsOf(config), dim = 12, patchDim = 27, headDim = 4;
  const of = (name: string) => weights.get(`encoder.${name}`)!.data;
  const linear = (x: readonly number[], weight: Float32Array, bias: Float32Array) =>
    Array.from(
      bias,
      (start, row) => x.reduce((sum, value, i) => sum + value * weight[row * x.length + i], start),
    );
  const patches = inputPatches(pixels, config), table = positionTables(config).encoder;
  return [0, 1, 2].flatMap((image) => {
    const embedded = Array.from({ length: 9 }, (_, patch) => {
      const start = (image * 9 + patch) * patchDim;
      const values = [...patches.subarray(start, start + patchDim)];
      return linear(values, of("patch_embed.projection.1.weight"), of("patch_embed.projection.1.bias"));
    });
    const tokens = [[...of("cls_token")], ...embedded].map((token, t) =>
      token.map((value, i) => value + table[t * dim + i])
    );
    const qkv = tokens.map((token) => {
      const mean = token.reduce((a, b) => a + b) / dim;
      const variance = token.reduce((sum, value) => sum + (value - mean) ** 2, 0) / dim;
      const normed = token.map((value, i) =>
        (value - mean) / Math.sqrt(variance + 1e-3) * of("blocks.0.norm1.weight")[i] +
        of("blocks.0.norm1.bias")[i]
      );
      return linear(normed, of("blocks.0.attn.in_proj_weight"), of("blocks.0.attn.in_proj_bias"));
    });
    return [0, 1, 2].map((head) => {
      const part = (token: number, third: number) =>
        qkv[token].slice(third * dim + head * headDim, third * dim + (head + 1) * headDim);
      const scores = qkv.map((_, token) =>
        Math.exp(
          part(0, 0).reduce((sum, value, i) => sum + value * part(token, 1)[i], 0) / Math.sqrt(headDim),
        )
      );
      const total = scores.reduce((a, b) => a + b);
      return scores.slice(1).map((score) => score / total);
    });
  });
}

for (const backend of BACKENDS) {
  Deno.test(`${backend}: the attention of the class token equals a direct computation`, async () => {
    const attention = await attentionOf(backend, config), expected = expectedAttention().flat();
    expect(attention.length).toBe(3 * 3 * 9);
    attention.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(1e-6));
    expect(Math.max(...attention) / Math.min(...attention)).toBeGreaterThan(10);
  });

  Deno.test(`${backend}: it is that of the last block`, async () => {
    const deep = { ...config, depth: 3 }, attention = await attentionOf(backend, deep);
    const shallow = await attentionOf(backend, config);
    expect(attention.some((value, i) => Math.abs(value - shallow[i]) > 0.01)).toBe(true);
    const reference = await attentionOf("cpu", deep);
    attention.forEach((value, i) => expect(Math.abs(value - reference[i])).toBeLessThan(1e-5));
  });
}
