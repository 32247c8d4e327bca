/**
 * Multi-head attention for short sequences: one head's scores stay in the cache from the product to the sum.
 *
 * @module
 */
import { exp2 } from "./exp.ts";
import { lines, range, rowsAbreast } from "./write.ts";

/** `softmax` of so many rows. */
function softmaxRows(count: number, relaxed: boolean): string {
  const all = range(count);
  const each = (line: (r: number) => string) => all.map(line);
  const exps = (r: number, half: number) =>
    lines(
      // The largest score is subtracted first, because the rounding error of a product of huge scores can exceed 127.
      exp2(
        relaxed,
        `f32x4.mul(f32x4.sub(v128.load(x${r} + at, ${16 * half}), m${r}0), factor)`,
        `e${r}${half}`,
      ),
      `v128.store(x${r} + at, e${r}${half}, ${16 * half});`,
      `t${r}${half} = f32x4.add(t${r}${half}, e${r}${half});`,
    );
  return lines(
    each((r) => `const x${r} = x + ${r} * row;`),
    each((r) => `for (let at = end; at < row; at += 4) f32.store(x${r} + at, -Infinity);`),
    each((r) => `let m${r}0 = v128.load(x${r}), m${r}1 = v128.load(x${r}, 16);`),
    "for (let at: usize = 32; at < row; at += 32) {",
    each((r) =>
      lines(
        `m${r}0 = f32x4.pmax(m${r}0, v128.load(x${r} + at));`,
        `m${r}1 = f32x4.pmax(m${r}1, v128.load(x${r} + at, 16));`,
      )
    ),
    "}",
    each((r) => `m${r}0 = f32x4.pmax(m${r}0, m${r}1);`),
    each((r) => `m${r}0 = f32x4.pmax(m${r}0, v128.shuffle<f32>(m${r}0, m${r}0, 2, 3, 0, 1));`),
    each((r) => `m${r}0 = f32x4.pmax(m${r}0, v128.shuffle<f32>(m${r}0, m${r}0, 1, 0, 3, 2));`),
    each((r) => `let t${r}0 = f32x4.splat(0), t${r}1 = t${r}0;`),
    "for (let at: usize = 0; at < row; at += 32) {",
    each((r) => lines(exps(r, 0), exps(r, 1))),
    "}",
    each((r) => `const share${r} = f32x4.splat(1 / sum4(f32x4.add(t${r}0, t${r}1)));`),
    "for (let at: usize = 0; at < row; at += 32) {",
    each((r) =>
      lines(
        range(2).map((half) =>
          `v128.store(x${r} + at, f32x4.mul(v128.load(x${r} + at, ${16 * half}), share${r}), ${16 * half});`
        ),
      )
    ),
    "}",
  );
}

const softmax = (relaxed: boolean) => `
/** softmax(scale · x) of every row, in place; the columns from \`width\` to the padded one become 0. */
function softmax(height: i32, width: i32, row: usize, x: usize, scale: f32): void {
  const end = <usize>width * 4, factor = f32x4.splat(scale * <f32>1.4426950408889634);
${rowsAbreast("height", (count) => softmaxRows(count, relaxed), (count) => [`x += ${count} * row;`])}
}
`;

/** Gradient of so many rows of scores. */
function scoreRows(count: number): string {
  const all = range(count);
  const each = (line: (r: number, half: number) => string) =>
    all.flatMap((r) => range(2).map((half) => line(r, half)));
  return lines(
    all.map((r) => `const p${r} = p + ${r} * row, d${r} = d + ${r} * row;`),
    each((r, half) => `let s${r}${half} = f32x4.splat(0);`),
    "for (let at: usize = 0; at < row; at += 32) {",
    each((r, half) => {
      const product = `f32x4.mul(v128.load(p${r} + at, ${16 * half}), v128.load(d${r} + at, ${16 * half}))`;
      return `s${r}${half} = f32x4.add(s${r}${half}, ${product});`;
    }),
    "}",
    all.map((r) => `const mean${r} = f32x4.splat(sum4(f32x4.add(s${r}0, s${r}1)));`),
    "for (let at: usize = 0; at < row; at += 32) {",
    each((r, half) => {
      const weight = `f32x4.mul(v128.load(p${r} + at, ${16 * half}), factor)`;
      const centred = `f32x4.sub(v128.load(d${r} + at, ${16 * half}), mean${r})`;
      return `v128.store(d${r} + at, f32x4.mul(${centred}, ${weight}), ${16 * half});`;
    }),
    "}",
  );
}

const SCORES = `
/** d = scale · p · (d - the sum of p · d), row by row: from the weights' gradient to that of the scores. */
function scoreGradient(height: i32, row: usize, p: usize, d: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
${rowsAbreast("height", scoreRows, (count) => [`p += ${count} * row; d += ${count} * row;`])}
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
 * of dropout, or 0. scratch holds padded · tokens values where there are factors, edge as for a product.
 */
export function attention(
  batch: i32, tokens: i32, heads: i32, size: i32, qkv: usize, factors: usize, weights: usize, out: usize,
  scratch: usize, edge: usize, scale: f32,
): void {
  const dim = <usize>(heads * size) * 4, row = 3 * dim, padded = (tokens + 7) & ~7, width = <usize>padded * 4;
  const dropped = scratch, each = <usize>(tokens * tokens) * 4;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize>(b * tokens) * row + <usize>(h * size) * 4;
      rows(tokens, tokens, padded, size, q, row, q + dim, 4, row, weights, width, 0, 0, edge);
      softmax(tokens, tokens, width, weights, scale);
      let used = weights;
      if (factors) {
        drop(tokens, tokens, width, weights, factors, dropped);
        used = dropped;
        factors += each;
      }
      const o = out + <usize>(b * tokens) * dim + <usize>(h * size) * 4;
      rows(tokens, size, size, tokens, used, width, q + 2 * dim, row, 4, o, dim, 0, 0, edge);
      weights += <usize>tokens * width;
    }
  }
}

/** The gradient of qkv from that of out. scratch holds padded · tokens values, twice that where there are factors. */
export function attentionGradient(
  batch: i32, tokens: i32, heads: i32, size: i32, qkv: usize, factors: usize, weights: usize, dOut: usize, dQkv: usize,
  scratch: usize, edge: usize, scale: f32,
): void {
  const dim = <usize>(heads * size) * 4, row = 3 * dim, padded = (tokens + 7) & ~7, width = <usize>padded * 4;
  const dScores = scratch, dropped = dScores + width * <usize>tokens;
  const each = <usize>(tokens * tokens) * 4;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize>(b * tokens) * row + <usize>(h * size) * 4, dq = dQkv + (q - qkv);
      const dy = dOut + <usize>(b * tokens) * dim + <usize>(h * size) * 4;
      rows(tokens, tokens, padded, size, dy, dim, q + 2 * dim, 4, row, dScores, width, 0, 0, edge);
      let used = weights;
      if (factors) {
        drop(tokens, tokens, width, weights, factors, dropped);
        drop(tokens, tokens, width, dScores, factors, dScores);
        used = dropped;
        factors += each;
      }
      scoreGradient(tokens, width, weights, dScores, scale);
      rows(tokens, size, size, tokens, dScores, width, q + dim, row, 4, dq, row, 0, 0, edge);
      gathered(tokens, tokens, size, dScores, width, 24, q, row, dq + dim, row, edge, true);
      gathered(tokens, tokens, size, used, width, 24, dy, dim, dq + 2 * dim, row, edge, true);
      weights += <usize>tokens * width;
    }
  }
}
`;

/** Source of attention. */
export function attention(relaxed: boolean): string {
  return lines(softmax(relaxed), SCORES, ATTENTION);
}
