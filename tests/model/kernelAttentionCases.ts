/**
 * Calls of the attention kernels with random sizes, and their results by definition, in float64.
 *
 * @module
 */
import { LANES } from "../../model/backends/simd/assembly/blockSizes.ts";
import { attentionScratch } from "../../model/backends/simd/specs.ts";
import { type Draw, input, type KernelCase, range, result, scratch } from "./kernelCase.ts";

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** Draws sizes, qkv and dropout factors, and computes the attention of every head. */
function attend(draw: Draw) {
  const batch = draw.size(5), tokens = draw.size(40), heads = draw.size(4), size = draw.size(20);
  const dim = heads * size, count = batch * heads, hasFactors = draw.below(2);
  const qkv = draw.values(batch * tokens * 3 * dim).map((value) => 3 * value);
  const factors = draw.values(count * tokens * tokens).map((value) => value < 0 ? 0 : 1.5);
  const scale = 1 / Math.sqrt(size);
  /** Index of an element of q, k or v (part 0, 1, 2) of a head. */
  const indexOf = (head: number, token: number, part: number, i: number) =>
    (Math.floor(head / heads) * tokens + token) * 3 * dim + part * dim + head % heads * size + i;
  const outIndex = (head: number, token: number, i: number) =>
    (Math.floor(head / heads) * tokens + token) * dim + head % heads * size + i;
  const dot = (x: (i: number) => number, y: (i: number) => number) =>
    total(range(size).map((i) => x(i) * y(i)));
  /** Softmax of the scores, by head, query and key. */
  const weights = range(count).map((head) =>
    range(tokens).map((q) => {
      const powers = range(tokens).map((t) =>
        Math.exp(scale * dot((i) => qkv[indexOf(head, q, 0, i)], (i) => qkv[indexOf(head, t, 1, i)]))
      );
      const sum = total(powers);
      return powers.map((power) => power / sum);
    })
  );
  const factor = (head: number, q: number, t: number) =>
    hasFactors ? factors[(head * tokens + q) * tokens + t] : 1;
  const groups = Math.ceil(count / LANES);
  return {
    ...{
      batch,
      tokens,
      heads,
      size,
      dim,
      count,
      hasFactors,
      qkv,
      factors,
      scale,
      indexOf,
      outIndex,
      dot,
      weights,
      factor,
    },
    sizes: `${batch} images, ${tokens} tokens, ${heads} heads of ${size}, factors ${hasFactors}`,
    weightBuffer: scratch(groups * tokens * (tokens + 1) * LANES),
  };
}

/** Cases of the attention kernels. */
export const attentionCases = {
  attention(draw: Draw): KernelCase {
    const { tokens, heads, size, dim, batch, count, qkv, factors, ...rest } = attend(draw);
    const { scale, indexOf, outIndex, weights, factor, hasFactors } = rest;
    const first = draw.below(count), part = 1 + draw.below(count - first);
    const out = draw.values(batch * tokens * dim), expected = [...out];
    for (let head = first; head < first + part; head++) {
      for (const q of range(tokens)) {
        for (const i of range(size)) {
          expected[outIndex(head, q, i)] = total(
            weights[head][q].map((weight, t) => weight * factor(head, q, t) * qkv[indexOf(head, t, 2, i)]),
          );
        }
      }
    }
    return {
      sizes: `${rest.sizes}, heads ${first} to ${first + part - 1}`,
      buffers: {
        ...{ qkv: input(qkv), factors: input(factors), weights: rest.weightBuffer, out: result(out) },
        scratch: scratch(attentionScratch(tokens, size, 2, hasFactors)),
      },
      calls: (at) => [[
        ...["attention", first, part, tokens, heads, size, at.qkv, hasFactors && at.factors] as const,
        ...[at.weights, at.out, at.scratch, scale],
      ]],
      expected: { out: expected },
    };
  },
  attentionGradient(draw: Draw): KernelCase {
    const { tokens, heads, size, dim, batch, count, qkv, factors, ...rest } = attend(draw);
    const { scale, indexOf, outIndex, dot, weights, factor, hasFactors } = rest;
    const dOut = draw.values(batch * tokens * dim), expected = new Float64Array(qkv.length);
    for (const head of range(count)) {
      for (const q of range(tokens)) {
        const p = weights[head][q];
        const dp = p.map((_, t) =>
          factor(head, q, t) * dot((i) => dOut[outIndex(head, q, i)], (i) => qkv[indexOf(head, t, 2, i)])
        );
        const mean = total(p.map((weight, t) => weight * dp[t]));
        p.forEach((weight, t) => {
          const dScore = scale * weight * (dp[t] - mean);
          for (const i of range(size)) {
            expected[indexOf(head, q, 0, i)] += dScore * qkv[indexOf(head, t, 1, i)];
            expected[indexOf(head, t, 1, i)] += dScore * qkv[indexOf(head, q, 0, i)];
            expected[indexOf(head, t, 2, i)] += weight * factor(head, q, t) * dOut[outIndex(head, q, i)];
          }
        });
      }
    }
    return {
      sizes: rest.sizes,
      buffers: {
        ...{ qkv: input(qkv), factors: input(factors), dOut: input(dOut), weights: rest.weightBuffer },
        ...{ out: scratch(batch * tokens * dim), dQkv: result(draw.values(qkv.length)) },
        scratch: scratch(attentionScratch(tokens, size, 4, hasFactors ? 2 : 1)),
        forwardScratch: scratch(attentionScratch(tokens, size, 2, hasFactors)),
      },
      calls: (at) => [
        [
          ...["attention", 0, count, tokens, heads, size, at.qkv, hasFactors && at.factors] as const,
          ...[at.weights, at.out, at.forwardScratch, scale],
        ],
        [
          ...["attentionGradient", count, tokens, heads, size, at.qkv, hasFactors && at.factors] as const,
          ...[at.weights, at.dOut, at.dQkv, at.scratch, scale],
        ],
      ],
      expected: { dQkv: expected },
    };
  },
};
