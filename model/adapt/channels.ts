/**
 * The first and the last layer for images with other channels or another normalisation. Both are linear in the pixels,
 * so the change is folded into weight and bias.
 *
 * @module
 */
import { type MaeConfig, type Normalization, patchDim } from "../config.ts";
import type { HostTensor } from "../weights.ts";

/** Weight and bias of a linear layer. */
export interface LinearLayer {
  /** `[out, in]`. */
  readonly weight: HostTensor;
  /** `[out]`. */
  readonly bias: HostTensor;
}

/** Returns whether two configurations convert pixels differently. */
export function convertsDifferently(from: MaeConfig, to: MaeConfig): boolean {
  const values = (config: MaeConfig) => {
    const { mean, std } = normalizationOf(config);
    return String([mean, std]);
  };
  return from.inChannels !== to.inChannels || values(from) !== values(to);
}

/** Returns the normalisation of a configuration, mean 0 and deviation 1 for none. */
function normalizationOf({ normalize, inChannels }: MaeConfig): Normalization {
  if (normalize !== null) return normalize;
  return { mean: new Array(inChannels).fill(0), std: new Array(inChannels).fill(1) };
}

/**
 * Returns the normalisation of a model whose number of channels changes: one channel has the average of three, and three
 * channels have the values of one. Any other choice gives the same features.
 */
export function normalizationFor(normalize: Normalization | null, channels: number): Normalization | null {
  if (normalize === null || normalize.mean.length === channels) return normalize;
  const spread = (values: readonly number[]) =>
    new Array<number>(channels).fill(values.reduce((sum, value) => sum + value, 0) / values.length);
  return { mean: spread(normalize.mean), std: spread(normalize.std) };
}

/**
 * Returns the patch embedding of a model with other channels. A grey picture has the features of the picture whose three
 * channels are equal to it, and from grey to RGB, each channel has a third of the weight.
 *
 * @param layer weight `[embedDim, P·P·C]`, whose columns are in the order (p1 p2 c)
 *
 * @example
 * ```ts
 * import { completeConfig } from "../config.ts";
 * import { embeddingFor } from "./channels.ts";
 *
 * const grey = completeConfig({ imageSize: 2, patchSize: 1 }), rgb = { ...grey, inChannels: 3 };
 * const weight = { shape: [1, 3], data: Float32Array.of(1, 2, 3) };
 * const { weight: adapted } = embeddingFor({ weight, bias: { shape: [1], data: new Float32Array(1) } }, rgb, grey);
 * console.log(adapted.data); // 6
 * ```
 */
export function embeddingFor(layer: LinearLayer, from: MaeConfig, to: MaeConfig): LinearLayer {
  const old = normalizationOf(from), next = normalizationOf(to), share = sharesOf(to, from);
  const pixels = from.patchSize ** 2, [out] = layer.weight.shape, dim = patchDim(to);
  const weight = new Float32Array(out * dim), bias = new Float32Array(out);
  // An old channel is the weighted sum of the new ones: x_c = sum_k share[c][k] x_k.
  for (let row = 0; row < out; row++) {
    let shift = layer.bias.data[row];
    for (let p = 0; p < pixels; p++) {
      for (let k = 0; k < to.inChannels; k++) {
        let sum = 0;
        for (let c = 0; c < from.inChannels; c++) {
          sum += layer.weight.data[(row * pixels + p) * from.inChannels + c] * share[c][k] / old.std[c];
        }
        weight[row * dim + p * to.inChannels + k] = sum * next.std[k];
        shift += sum * next.mean[k];
      }
      for (let c = 0; c < from.inChannels; c++) {
        shift -= layer.weight.data[(row * pixels + p) * from.inChannels + c] * old.mean[c] / old.std[c];
      }
    }
    bias[row] = shift;
  }
  return { weight: { shape: [out, dim], data: weight }, bias: { shape: [out], data: bias } };
}

/**
 * Returns the decoder's last layer for a model with other channels: it predicts the same pixels. A grey pixel is the mean
 * of the three that were predicted, and from grey to RGB, the three are equal. A decoder that predicts normalised patches
 * is not rescaled, because the patch's own mean and variance are removed there.
 *
 * @param layer weight `[P·P·C, decoderEmbedDim]`, whose rows are in the order (p1 p2 c)
 */
export function predictionFor(layer: LinearLayer, from: MaeConfig, to: MaeConfig): LinearLayer {
  const isRelative = from.normPixLoss || to.normPixLoss;
  const none = (config: MaeConfig) => normalizationOf({ ...config, normalize: null });
  const old = isRelative ? none(from) : normalizationOf(from);
  const next = isRelative ? none(to) : normalizationOf(to);
  const share = sharesOf(from, to), pixels = from.patchSize ** 2, [, dim] = layer.weight.shape;
  const out = patchDim(to), weight = new Float32Array(out * dim), bias = new Float32Array(out);
  for (let p = 0; p < pixels; p++) {
    for (let k = 0; k < to.inChannels; k++) {
      const row = p * to.inChannels + k;
      let shift = -next.mean[k];
      for (let c = 0; c < from.inChannels; c++) {
        const oldRow = p * from.inChannels + c, scale = share[k][c] * old.std[c] / next.std[k];
        for (let d = 0; d < dim; d++) weight[row * dim + d] += scale * layer.weight.data[oldRow * dim + d];
        shift += share[k][c] * (old.std[c] * layer.bias.data[oldRow] + old.mean[c]);
      }
      bias[row] = shift / next.std[k];
    }
  }
  return { weight: { shape: [out, dim], data: weight }, bias: { shape: [out], data: bias } };
}

/** Returns the share of each channel of `from` in each channel of `to`, `[to.inChannels][from.inChannels]`. */
function sharesOf(from: MaeConfig, to: MaeConfig): number[][] {
  const isSame = from.inChannels === to.inChannels;
  return Array.from(
    { length: to.inChannels },
    (_, k) =>
      Array.from({ length: from.inChannels }, (_, c) => isSame ? Number(c === k) : 1 / from.inChannels),
  );
}
