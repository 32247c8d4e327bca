/**
 * The attention map of a class token.
 *
 * @module
 */
import { imageDim, type MaeConfig, numTokens } from "../config.ts";
import type { Predictor } from "./predictor.ts";

/**
 * Returns the attention weights of the class token over the patches in the encoder's last block, with nothing masked.
 * With its weight for itself, the weights of a head add up to 1.
 *
 * @param predictor of a model with a class token
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, numHeads, N]`
 */
export async function classAttention(
  predictor: Predictor,
  pixels: Float32Array,
): Promise<Float32Array<ArrayBuffer>> {
  const { config } = predictor;
  return classRows(config, await predictor.lastQkv(pixels), pixels.length / imageDim(config));
}

/** Computes the class token's rows of `softmax(q · kᵀ / √d)`. @param qkv `[batch, T, 3 · embedDim]` */
function classRows(config: MaeConfig, qkv: Float32Array, batch: number): Float32Array<ArrayBuffer> {
  const { embedDim, numHeads } = config, tokens = numTokens(config), patches = tokens - 1;
  const headDim = embedDim / numHeads, row = 3 * embedDim, weights = new Float64Array(tokens);
  const attention = new Float32Array(batch * numHeads * patches);
  for (let image = 0; image < batch; image++) {
    const first = image * tokens * row;
    for (let head = 0; head < numHeads; head++) {
      const query = first + head * headDim;
      for (let token = 0; token < tokens; token++) {
        const key = first + token * row + embedDim + head * headDim;
        let sum = 0;
        for (let i = 0; i < headDim; i++) sum += qkv[query + i] * qkv[key + i];
        weights[token] = sum / Math.sqrt(headDim);
      }
      const largest = weights.reduce((a, b) => Math.max(a, b));
      let total = 0;
      for (let token = 0; token < tokens; token++) {
        weights[token] = Math.exp(weights[token] - largest);
        total += weights[token];
      }
      const out = (image * numHeads + head) * patches;
      for (let patch = 0; patch < patches; patch++) attention[out + patch] = weights[patch + 1] / total;
    }
  }
  return attention;
}
