/**
 * Multi-head attention for short sequences: the scores of one head stay in the cache between the operations.
 */
import { gemmStrided } from "./gemm";
import { gemmTransAStrided } from "./gemmTransA";
import { MR, NR } from "./blockSizes";
import { softmax, softmaxGradient } from "./softmax";

/** out = x · factors, elementwise. The rows of x and out are padded, those of factors are not. */
function dropout(height: i32, width: i32, row: usize, x: usize, factors: usize, out: usize): void {
  const factorsRow = <usize> width * 4;
  for (; height > 0; height--) {
    let j: usize = 0;
    for (; j + 16 <= factorsRow; j += 16) {
      v128.store(out + j, f32x4.mul(v128.load(x + j), v128.load(factors + j)));
    }
    for (; j < factorsRow; j += 4) f32.store(out + j, f32.load(x + j) * f32.load(factors + j));
    for (; j < row; j += 4) f32.store(out + j, 0);
    x += row;
    factors += factorsRow;
    out += row;
  }
}

/**
 * Computes out[batch, tokens, heads · size] and weights[batch · heads, tokens, padded] from
 * qkv[batch, tokens, 3 · heads · size], with tokens padded to a multiple of NR. factors[batch · heads, tokens, tokens]
 * are the dropout factors, or 0. scratch: padded · tokens floats if there are factors. tile: as for `gemm`.
 */
export function attention(
  batch: i32,
  tokens: i32,
  heads: i32,
  size: i32,
  qkv: usize,
  factors: usize,
  weights: usize,
  out: usize,
  scratch: usize,
  tile: usize,
  scale: f32,
): void {
  const dim = <usize> (heads * size) * 4, row = 3 * dim;
  const padded = (tokens + NR - 1) & -NR, width = <usize> padded * 4;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize> (b * tokens) * row + <usize> (h * size) * 4, k = q + dim, v = k + dim;
      gemmStrided(tokens, tokens, padded, size, q, row, k, 4, row, weights, width, 0, 0, tile);
      softmax(tokens, tokens, width, weights, scale);
      let dropped = weights;
      if (factors) {
        dropout(tokens, tokens, width, weights, factors, scratch);
        dropped = scratch;
        factors += <usize> (tokens * tokens) * 4;
      }
      const o = out + <usize> (b * tokens) * dim + <usize> (h * size) * 4;
      gemmStrided(tokens, size, size, tokens, dropped, width, v, row, 4, o, dim, 0, 0, tile);
      weights += <usize> tokens * width;
    }
  }
}

/**
 * Computes dQkv from dOut and the forward pass's qkv, factors and weights. scratch: padded · tokens floats, twice as
 * many if there are factors. tile: as for `gemm`.
 */
export function attentionGradient(
  batch: i32,
  tokens: i32,
  heads: i32,
  size: i32,
  qkv: usize,
  factors: usize,
  weights: usize,
  dOut: usize,
  dQkv: usize,
  scratch: usize,
  tile: usize,
  scale: f32,
): void {
  const dim = <usize> (heads * size) * 4, row = 3 * dim;
  const padded = (tokens + NR - 1) & -NR, width = <usize> padded * 4;
  const dScores = scratch, droppedWeights = dScores + width * <usize> tokens, panel: usize = MR * 4;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize> (b * tokens) * row + <usize> (h * size) * 4, k = q + dim, v = k + dim;
      const dq = dQkv + (q - qkv), dk = dq + dim, dv = dk + dim;
      const dy = dOut + <usize> (b * tokens) * dim + <usize> (h * size) * 4;
      gemmStrided(tokens, tokens, padded, size, dy, dim, v, 4, row, dScores, width, 0, 0, tile);
      let dropped = weights;
      if (factors) {
        dropout(tokens, tokens, width, weights, factors, droppedWeights);
        dropout(tokens, tokens, width, dScores, factors, dScores);
        dropped = droppedWeights;
        factors += <usize> (tokens * tokens) * 4;
      }
      softmaxGradient(tokens, width, weights, dScores, scale);
      gemmStrided(tokens, size, size, tokens, dScores, width, k, row, 4, dq, row, 0, 0, tile);
      gemmTransAStrided(tokens, size, tokens, dScores, width, panel, q, row, dk, row, tile, true);
      gemmTransAStrided(tokens, size, tokens, dropped, width, panel, dy, dim, dv, row, tile, true);
      weights += <usize> tokens * width;
    }
  }
}
