/**
 * Multi-head attention for short sequences: one head's scores stay in the cache from the product to the sum.
 *
 * @module
 */
import { exp2 } from "./exp.ts";
import { fma, lines } from "./write.ts";

const softmax = (relaxed: boolean) => `
/** softmax(scale · x) of every row, in place; the columns from \`width\` to the padded one become 0. */
function softmax(height: i32, width: i32, row: usize, x: usize, scale: f32, table: usize): void {
  const end = <usize>width * 4, factor = f32x4.splat(scale * <f32>1.4426950408889634);
  for (; height > 0; height--) {
    for (let at = end; at < row; at += 4) f32.store(x + at, -Infinity);
    let m0 = v128.load(x), m1 = v128.load(x, 16);
    for (let at: usize = 32; at < row; at += 32) {
      m0 = f32x4.pmax(m0, v128.load(x + at));
      m1 = f32x4.pmax(m1, v128.load(x + at, 16));
    }
    m0 = f32x4.pmax(m0, m1);
    m0 = f32x4.pmax(m0, v128.shuffle<f32>(m0, m0, 2, 3, 0, 1));
    m0 = f32x4.pmax(m0, v128.shuffle<f32>(m0, m0, 1, 0, 3, 2));
    const top = f32x4.neg(f32x4.mul(m0, factor));
    let t0 = f32x4.splat(0), t1 = f32x4.splat(0);
    for (let at: usize = 0; at < row; at += 32) {
${exp2(relaxed, fma(relaxed, "v128.load(x + at)", "factor", "top"), "e")}
      v128.store(x + at, e);
      t0 = f32x4.add(t0, e);
${exp2(relaxed, fma(relaxed, "v128.load(x + at, 16)", "factor", "top"), "g")}
      v128.store(x + at, g, 16);
      t1 = f32x4.add(t1, g);
    }
    const share = f32x4.splat(1 / sum4(f32x4.add(t0, t1)));
    for (let at: usize = 0; at < row; at += 32) {
      v128.store(x + at, f32x4.mul(v128.load(x + at), share));
      v128.store(x + at, f32x4.mul(v128.load(x + at, 16), share), 16);
    }
    x += row;
  }
}
`;

const ATTENTION = `
function sum4(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** out = x · factors, row by row; x's rows are padded, those of the factors are not. */
function drop(height: i32, width: i32, row: usize, x: usize, factors: usize, out: usize): void {
  const factorsRow = <usize>width * 4;
  for (; height > 0; height--) {
    let at: usize = 0;
    for (; at + 16 <= factorsRow; at += 16) v128.store(out + at, f32x4.mul(v128.load(x + at), v128.load(factors + at)));
    for (; at < factorsRow; at += 4) f32.store(out + at, f32.load(x + at) * f32.load(factors + at));
    for (; at < row; at += 4) f32.store(out + at, 0);
    x += row; factors += factorsRow; out += row;
  }
}

/**
 * qkv[batch, tokens, 3 · heads · size] gives out[batch, tokens, heads · size] and the weights
 * [batch · heads, tokens, padded], tokens padded to a multiple of 8. factors[batch · heads, tokens, tokens] are those
 * of dropout, or 0. scratch holds padded · (padded size + tokens) values, edge as for a product.
 */
export function attention(
  batch: i32, tokens: i32, heads: i32, size: i32, qkv: usize, factors: usize, weights: usize, out: usize,
  scratch: usize, edge: usize, table: usize, scale: f32,
): void {
  const dim = <usize>(heads * size) * 4, row = 3 * dim, padded = (tokens + 7) & ~7, width = <usize>padded * 4;
  const dropped = scratch + width * <usize>((size + 7) & ~7), each = <usize>(tokens * tokens) * 4;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize>(b * tokens) * row + <usize>(h * size) * 4;
      pack(tokens, size, q + dim, 4, row, scratch);
      rows(tokens, padded, size, q, row, scratch, weights, width, 0, 0, edge);
      softmax(tokens, tokens, width, weights, scale, table);
      let used = weights;
      if (factors) {
        drop(tokens, tokens, width, weights, factors, dropped);
        used = dropped;
        factors += each;
      }
      pack(size, tokens, q + 2 * dim, row, 4, scratch);
      const o = out + <usize>(b * tokens) * dim + <usize>(h * size) * 4;
      rows(tokens, size, tokens, used, width, scratch, o, dim, 0, 0, edge);
      weights += <usize>tokens * width;
    }
  }
}

/** The gradient of qkv from that of out. scratch holds padded · (padded size + 2 · tokens) values. */
export function attentionGradient(
  batch: i32, tokens: i32, heads: i32, size: i32, qkv: usize, factors: usize, weights: usize, dOut: usize, dQkv: usize,
  scratch: usize, edge: usize, scale: f32,
): void {
  const dim = <usize>(heads * size) * 4, row = 3 * dim, padded = (tokens + 7) & ~7, width = <usize>padded * 4;
  const dScores = scratch + width * <usize>((size + 7) & ~7), dropped = dScores + width * <usize>tokens;
  const each = <usize>(tokens * tokens) * 4, factor = f32x4.splat(scale);
  memory.fill(dQkv, 0, <usize>(batch * tokens) * row);
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize>(b * tokens) * row + <usize>(h * size) * 4, dq = dQkv + (q - qkv);
      const dy = dOut + <usize>(b * tokens) * dim + <usize>(h * size) * 4;
      pack(tokens, size, q + 2 * dim, 4, row, scratch);
      rows(tokens, padded, size, dy, dim, scratch, dScores, width, 0, 0, edge);
      let used = weights;
      if (factors) {
        drop(tokens, tokens, width, weights, factors, dropped);
        drop(tokens, tokens, width, dScores, factors, dScores);
        used = dropped;
        factors += each;
      }
      let p = weights, ds = dScores;
      for (let t: i32 = 0; t < tokens; t++) {
        let s0 = f32x4.splat(0), s1 = f32x4.splat(0);
        for (let at: usize = 0; at < width; at += 32) {
          s0 = f32x4.add(s0, f32x4.mul(v128.load(p + at), v128.load(ds + at)));
          s1 = f32x4.add(s1, f32x4.mul(v128.load(p + at, 16), v128.load(ds + at, 16)));
        }
        const mean = f32x4.splat(sum4(f32x4.add(s0, s1)));
        for (let at: usize = 0; at < width; at += 32) {
          const w0 = f32x4.mul(v128.load(p + at), factor), w1 = f32x4.mul(v128.load(p + at, 16), factor);
          v128.store(ds + at, f32x4.mul(f32x4.sub(v128.load(ds + at), mean), w0));
          v128.store(ds + at, f32x4.mul(f32x4.sub(v128.load(ds + at, 16), mean), w1), 16);
        }
        p += width; ds += width;
      }
      pack(size, tokens, q + dim, row, 4, scratch);
      rows(tokens, size, tokens, dScores, width, scratch, dq, row, 0, 0, edge);
      gathered(tokens, tokens, size, dScores, width, q, row, dq + dim, row, edge);
      gathered(tokens, tokens, size, used, width, dy, dim, dq + 2 * dim, row, edge);
      weights += <usize>tokens * width;
    }
  }
}
`;

/** Source of attention. */
export function attention(relaxed: boolean): string {
  return lines(softmax(relaxed), ATTENTION);
}
