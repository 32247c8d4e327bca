/**
 * Calls of the kernels with random sizes, and their results by definition, in float64.
 *
 * @module
 */
import type { KernelName } from "../../model/backends/simd/instance.ts";
import { attentionCases } from "./kernelAttentionCases.ts";
import { type Draw, input, type KernelCase, matrix, range, result, sum } from "./kernelCase.ts";
import { productCases } from "./kernelProductCases.ts";
import { erf } from "./operations.ts";

/** Cases of every kernel. */
export const CASES: Readonly<Record<KernelName, (draw: Draw) => KernelCase>> = {
  ...attentionCases,
  ...productCases,
  adamw(draw) {
    const n = 8 * draw.size(9), workers = draw.size(3), stride = n + draw.below(9);
    const param = draw.values(n), expAvg = draw.values(n), expAvgSq = draw.values(n).map(Math.abs);
    const grad = draw.values((workers - 1) * stride + n),
      g = (i: number) => sum(workers, (w) => grad[w * stride + i]);
    const m = (i: number) => expAvg[i] + 0.1 * (g(i) - expAvg[i]),
      v = (i: number) => 0.9 * expAvgSq[i] + 0.1 * g(i) ** 2;
    return {
      sizes: `${n}, workers ${workers}`,
      buffers: {
        param: result(param),
        expAvg: result(expAvg),
        expAvgSq: result(expAvgSq),
        grad: input(grad),
      },
      calls: (at) => [[
        ...["adamw", n, at.param, at.expAvg, at.expAvgSq, at.grad, workers, 4 * stride] as const,
        ...[0.99, 0.1, 0.9, 0.1, 0.5, 1e-3, 0.01],
      ]],
      expected: {
        param: range(n).map((i) => 0.99 * param[i] - 0.01 * m(i) / (Math.sqrt(v(i)) / 0.5 + 1e-3)),
        expAvg: range(n).map(m),
        expAvgSq: range(n).map(v),
      },
    };
  },
  add(draw) {
    const period = draw.size(70), n = period * draw.size(5), x = draw.values(n), y = draw.values(period);
    const sums = range(n).map((i) => x[i] + y[i % period]);
    return {
      sizes: `${n}, period ${period}`,
      buffers: { x: input(x), y: input(y), out: result(draw.values(n)), inPlace: result(x) },
      calls: (
        at,
      ) => [["add", n, period, at.x, at.y, at.out], ["add", n, period, at.inPlace, at.y, at.inPlace]],
      expected: { out: sums, inPlace: sums },
    };
  },
  addScaled(draw) {
    const m = draw.size(9), n = draw.size(140), x = draw.values(m * n), y = draw.values(m * n);
    const factors = draw.values(m), sums = matrix(m, n, (i, j) => x[i * n + j] + factors[i] * y[i * n + j]);
    return {
      sizes: `${m}x${n}`,
      buffers: {
        ...{ x: input(x), y: input(y), factors: input(factors) },
        ...{ out: result(draw.values(m * n)), inPlace: result(x) },
      },
      calls: (at) => [
        ["addScaled", m, n, at.x, at.y, at.factors, at.out],
        ["addScaled", m, n, at.inPlace, at.y, at.factors, at.inPlace],
      ],
      expected: { out: sums, inPlace: sums },
    };
  },
  scaleRows(draw) {
    const m = draw.size(9), n = draw.size(140), x = draw.values(m * n), factors = draw.values(m);
    const products = matrix(m, n, (i, j) => factors[i] * x[i * n + j]);
    return {
      sizes: `${m}x${n}`,
      buffers: {
        ...{ x: input(x), factors: input(factors) },
        ...{ out: result(draw.values(m * n)), inPlace: result(x) },
      },
      calls: (at) => [
        ["scaleRows", m, n, at.x, at.factors, at.out],
        ["scaleRows", m, n, at.inPlace, at.factors, at.inPlace],
      ],
      expected: { out: products, inPlace: products },
    };
  },
  multiply(draw) {
    const n = draw.size(300),
      x = draw.values(n),
      y = draw.values(n),
      products = range(n).map((i) => x[i] * y[i]);
    return {
      sizes: `${n}`,
      buffers: { x: input(x), y: input(y), out: result(draw.values(n)), inPlace: result(x) },
      calls: (at) => [["multiply", n, at.x, at.y, at.out], ["multiply", n, at.inPlace, at.y, at.inPlace]],
      expected: { out: products, inPlace: products },
    };
  },
  scale(draw) {
    const n = draw.size(300),
      x = draw.values(n),
      factor = draw.values(1),
      products = range(n).map((i) => x[i] * factor[0]);
    return {
      sizes: `${n}`,
      buffers: { x: input(x), factor: input(factor), out: result(draw.values(n)), inPlace: result(x) },
      calls: (at) => [["scale", n, at.x, at.factor, at.out], ["scale", n, at.inPlace, at.factor, at.inPlace]],
      expected: { out: products, inPlace: products },
    };
  },
  zero(draw) {
    const n = draw.size(300);
    return {
      sizes: `${n}`,
      buffers: { out: result(draw.values(n)) },
      calls: (at) => [["zero", at.out, n]],
      expected: { out: new Float32Array(n) },
    };
  },
  gelu(draw) {
    const n = draw.size(300), x = draw.values(n).map((value) => 4 * value);
    const cdf = (value: number) => (1 + erf(value * Math.SQRT1_2)) / 2;
    return {
      sizes: `${n}`,
      buffers: { x: input(x), out: result(draw.values(n)), derivative: result(draw.values(n)) },
      calls: (at) => [["gelu", n, at.x, at.out, at.derivative]],
      expected: {
        out: range(n).map((i) => x[i] * cdf(x[i])),
        derivative: range(n).map((i) =>
          cdf(x[i]) + x[i] * Math.exp(-(x[i] ** 2) / 2) / Math.sqrt(2 * Math.PI)
        ),
      },
    };
  },
  layerNorm(draw) {
    const m = draw.size(20),
      n = draw.size(140),
      x = draw.values(m * n),
      weight = draw.values(n),
      bias = draw.values(n);
    const mean = range(m).map((i) => sum(n, (j) => x[i * n + j]) / n);
    const factor = range(m).map((i) =>
      1 / Math.sqrt(sum(n, (j) => (x[i * n + j] - mean[i]) ** 2) / n + 1e-2)
    );
    const normed = (i: number, j: number) => (x[i * n + j] - mean[i]) * factor[i];
    return {
      sizes: `${m}x${n}`,
      buffers: {
        ...{ x: input(x), weight: input(weight), bias: input(bias), out: result(draw.values(m * n)) },
        ...{ normed: result(draw.values(m * n)), factor: result(draw.values(m)) },
      },
      calls: (at) => [["layerNorm", m, n, at.x, at.weight, at.bias, at.out, at.normed, at.factor, 1e-2]],
      expected: {
        out: matrix(m, n, (i, j) => normed(i, j) * weight[j] + bias[j]),
        normed: matrix(m, n, normed),
        factor,
      },
    };
  },
  layerNormGradient(draw) {
    const m = draw.size(20), n = draw.size(140), dy = draw.values(m * n), normed = draw.values(m * n);
    const factor = draw.values(m), weight = draw.values(n), dWeight = draw.values(n), dBias = draw.values(n);
    const d = (i: number, j: number) => dy[i * n + j] * weight[j];
    const mean = range(m).map((i) => sum(n, (j) => d(i, j)) / n);
    const dot = range(m).map((i) => sum(n, (j) => d(i, j) * normed[i * n + j]) / n);
    return {
      sizes: `${m}x${n}`,
      buffers: {
        ...{ dy: input(dy), normed: input(normed), factor: input(factor), weight: input(weight) },
        ...{ dx: result(draw.values(m * n)), dWeight: result(dWeight), dBias: result(dBias) },
      },
      calls: (at) => [[
        ...["layerNormGradient", m, n, at.dy, at.normed, at.factor, at.weight] as const,
        ...[at.dx, at.dWeight, at.dBias],
      ]],
      expected: {
        dx: matrix(m, n, (i, j) => (d(i, j) - mean[i] - normed[i * n + j] * dot[i]) * factor[i]),
        dWeight: range(n).map((j) => dWeight[j] + sum(m, (i) => dy[i * n + j] * normed[i * n + j])),
        dBias: range(n).map((j) => dBias[j] + sum(m, (i) => dy[i * n + j])),
      },
    };
  },
  maskedLoss(draw) {
    const m = draw.size(20), n = draw.size(70), pred = draw.values(m * n), target = draw.values(m * n);
    const mask = Float32Array.from({ length: m }, (_, i) => i === 0 ? 1 : draw.below(2)),
      count = n * sum(m, (i) => mask[i]);
    const error = (i: number, j: number) => mask[i] * (pred[i * n + j] - target[i * n + j]);
    return {
      sizes: `${m}x${n}`,
      buffers: {
        ...{ pred: input(pred), target: input(target), mask: input(mask) },
        ...{ loss: result(draw.values(1)), grad: result(draw.values(m * n)) },
      },
      calls: (at) => [["maskedLoss", m, n, at.pred, at.target, at.mask, at.loss, at.grad]],
      expected: {
        loss: [sum(m, (i) => sum(n, (j) => error(i, j) ** 2)) / count],
        grad: matrix(m, n, (i, j) => 2 * error(i, j) / count),
      },
    };
  },
  crossEntropy(draw) {
    const m = draw.size(20), n = draw.size(40), logits = draw.values(m * n).map((value) => 9 * value);
    const labels = Int32Array.from({ length: m }, () => draw.below(n));
    const total = range(m).map((i) => sum(n, (j) => Math.exp(logits[i * n + j])));
    return {
      sizes: `${m}x${n}`,
      buffers: {
        ...{ logits: input(logits), labels: input(labels) },
        ...{ loss: result(draw.values(1)), grad: result(draw.values(m * n)) },
      },
      calls: (at) => [["crossEntropy", m, n, at.logits, at.labels, at.loss, at.grad]],
      expected: {
        loss: [sum(m, (i) => Math.log(total[i]) - logits[i * n + labels[i]]) / m],
        grad: matrix(m, n, (i, j) => (Math.exp(logits[i * n + j]) / total[i] - Number(j === labels[i])) / m),
      },
    };
  },
  gatherRows(draw) {
    const rows = draw.size(9), count = draw.size(20), n = draw.size(40), x = draw.values(rows * n);
    const fallback = draw.values(n),
      indices = Int32Array.from({ length: count }, () => draw.below(rows + 1) - 1);
    return {
      sizes: `${count}x${n} of ${rows}`,
      buffers: {
        ...{ x: input(x), fallback: input(fallback), indices: input(indices) },
        out: result(draw.values(count * n)),
      },
      calls: (at) => [["gatherRows", count, n, at.x, at.fallback, at.indices, at.out]],
      expected: { out: matrix(count, n, (i, j) => indices[i] < 0 ? fallback[j] : x[indices[i] * n + j]) },
    };
  },
  sumRows(draw) {
    const m = draw.size(20), n = draw.size(140), x = draw.values(m * n), out = draw.values(n);
    return {
      sizes: `${m}x${n}`,
      buffers: { x: input(x), out: result(out) },
      calls: (at) => [["sumRows", m, n, at.x, at.out]],
      expected: { out: range(n).map((j) => out[j] + sum(m, (i) => x[i * n + j])) },
    };
  },
  sumMaskedRows(draw) {
    const m = draw.size(20), n = draw.size(70), x = draw.values(m * n), out = draw.values(n);
    const mask = Float32Array.from({ length: m }, () => draw.below(2));
    return {
      sizes: `${m}x${n}`,
      buffers: { x: input(x), mask: input(mask), out: result(out) },
      calls: (at) => [["sumMaskedRows", m, n, at.x, at.mask, at.out]],
      expected: { out: range(n).map((j) => out[j] + sum(m, (i) => mask[i] * x[i * n + j])) },
    };
  },
  meanPool(draw) {
    const batch = draw.size(5),
      tokens = draw.size(20),
      first = draw.below(tokens),
      count = 1 + draw.below(tokens - first),
      n = draw.size(140),
      x = draw.values(batch * tokens * n);
    const mean = (b: number, j: number) => sum(count, (t) => x[(b * tokens + first + t) * n + j]) / count;
    return {
      sizes: `${batch}x${tokens}x${n}, ${count} tokens from ${first}`,
      buffers: { x: input(x), out: result(draw.values(batch * n)) },
      calls: (at) => [["meanPool", batch, tokens, first, count, n, at.x, at.out]],
      expected: { out: matrix(batch, n, mean) },
    };
  },
  meanPoolGradient(draw) {
    const batch = draw.size(5), tokens = draw.size(20), n = draw.size(140), dy = draw.values(batch * n);
    const first = draw.below(tokens), count = 1 + draw.below(tokens - first);
    const isIn = (token: number) => token >= first && token < first + count;
    const share = (i: number, j: number) => isIn(i % tokens) ? dy[Math.floor(i / tokens) * n + j] / count : 0;
    return {
      sizes: `${batch}x${tokens}x${n}, ${count} tokens from ${first}`,
      buffers: { dy: input(dy), dx: result(draw.values(batch * tokens * n)) },
      calls: (at) => [["meanPoolGradient", batch, tokens, first, count, n, at.dy, at.dx]],
      expected: { dx: matrix(batch * tokens, n, share) },
    };
  },
};
