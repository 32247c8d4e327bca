/**
 * Every operation that the kernels compute. A plan replays the recorded kernel calls of operations (`plan/`).
 *
 * @module
 */
import { type Shape, sizeOf } from "../../shape.ts";
import { COMPACT_ROWS, LANES, PACK_MIN_WIDTH, PACK_SIZE, TILE_SIZE } from "./assembly/blockSizes.ts";
import type { KernelContext, KernelSpec } from "./kernelSpec.ts";

/** Returns the address of the scratch tile of a matrix product. */
const tile = (context: KernelContext) => context.scratch(TILE_SIZE);

/** Returns the number of elements of the compact layout that hold `heads` heads of an image or a batch. */
const groups = (heads: number) => Math.ceil(heads / LANES);

/**
 * Returns the floats of scratch memory for attention: three tables of lanes, `matrices` matrices `[tokens, size]`, the
 * same number of panels `[COMPACT_ROWS, size]`, and `panels` panels `[tokens, COMPACT_ROWS]`.
 */
export const attentionScratch = (tokens: number, size: number, matrices: number, panels: number) =>
  LANES * (6 + (tokens + COMPACT_ROWS) * size * matrices + COMPACT_ROWS * tokens * panels);

/** x `[rows, in]`, weight `[out, in]`, bias `[out]`, residual `[rows, out]` (may be absent) → `[rows, out]`. */
const linear: KernelSpec = {
  inputs: ["x", "weight", "bias", "residual"],
  outputs: ([[rows], [outDim]]) => [[rows, outDim]],
  run(context, [x, weight, bias, residual], [out]) {
    const [rows, inDim] = x.shape, [outDim] = weight.shape;
    const addresses = [out.address, bias.address, residual?.address ?? 0, tile(context)];
    context.kernels.gemm(rows, outDim, inDim, x.address, weight.address, 4, 4 * inDim, ...addresses);
  },
};

/** dy `[rows, out]`, weight `[out, in]` → `[rows, in]`. */
const linearDx: KernelSpec = {
  inputs: ["dy", "weight"],
  outputs: ([[rows], [, inDim]]) => [[rows, inDim]],
  run(context, [dy, weight], [out]) {
    const [rows, outDim] = dy.shape, [, inDim] = weight.shape;
    const addresses = [out.address, 0, 0, tile(context)];
    context.kernels.gemm(rows, inDim, outDim, dy.address, weight.address, 4 * inDim, 4, ...addresses);
  },
};

/** dy `[rows, out]`, x `[rows, in]` → gradients of the weight `[out, in]` and the bias `[out]`. */
const linearDw: KernelSpec = {
  inputs: ["dy", "x"],
  outputs: ([[, outDim], [, inDim]]) => [[outDim, inDim], [outDim]],
  accumulates: [0, 1],
  overwritable: [0],
  run(context, [dy, x], [weight, bias]) {
    const [rows, outDim] = dy.shape, [, inDim] = x.shape;
    const packed = Math.max(inDim, outDim) < PACK_MIN_WIDTH ? 0 : context.scratch(PACK_SIZE);
    const addresses = [dy.address, x.address, weight.address, tile(context), packed];
    context.kernels.gemmTransA(outDim, inDim, rows, ...addresses, Number(context.overwrite));
    context.kernels.sumRows(rows, outDim, dy.address, bias.address);
  },
};

/** x of any shape → GELU and its derivative. */
const gelu: KernelSpec = {
  inputs: ["x"],
  outputs: ([shape]) => [shape, shape],
  run({ kernels }, [x], [out, derivative]) {
    kernels.gelu(sizeOf(x.shape), x.address, out.address, derivative.address);
  },
};

/** x `[rows, dim]`, weight and bias `[dim]` → output and normed `[rows, dim]`, scale `[rows]`. */
const layerNorm: KernelSpec = {
  inputs: ["x", "weight", "bias"],
  outputs: ([[rows, dim]]) => [[rows, dim], [rows, dim], [rows]],
  run({ kernels }, [x, weight, bias], [out, normed, scale], { eps }) {
    const [rows, dim] = x.shape;
    kernels.layerNorm(
      rows,
      dim,
      x.address,
      weight.address,
      bias.address,
      out.address,
      normed.address,
      scale.address,
      eps,
    );
  },
};

/** dy `[rows, dim]`, normed and scale of the forward pass, weight `[dim]` → gradients of x, weight and bias. */
const layerNormDx: KernelSpec = {
  inputs: ["dy", "normed", "scale", "weight"],
  outputs: ([[rows, dim]]) => [[rows, dim], [dim], [dim]],
  accumulates: [1, 2],
  run({ kernels }, [dy, normed, scale, weight], [dx, dWeight, dBias]) {
    const [rows, dim] = dy.shape;
    kernels.layerNormGradient(
      rows,
      dim,
      dy.address,
      normed.address,
      scale.address,
      weight.address,
      dx.address,
      dWeight.address,
      dBias.address,
    );
  },
};

/**
 * qkv `[batch, tokens, 3 · dim]`, dropout factors `[batch · heads, tokens, tokens]` (may be absent) →
 * `[batch, tokens, dim]`, weights `[groups, tokens, tokens + 1, LANES]`.
 */
const attention: KernelSpec = {
  inputs: ["qkv", "factors"],
  outputs: ([[batch, tokens, tripled]], { heads }) => [
    [batch, tokens, tripled / 3],
    [groups(batch * heads), tokens, tokens + 1, LANES],
  ],
  run(context, [qkv, factors], [out, weights], { heads }) {
    const [batch, tokens, tripled] = qkv.shape;
    const size = tripled / 3 / heads;
    const addresses = [qkv.address, factors?.address ?? 0, weights.address, out.address];
    const scratch = context.scratch(attentionScratch(tokens, size, 2, factors ? 1 : 0));
    const scale = 1 / Math.sqrt(size);
    context.kernels.attention(
      ...[0, batch * heads, tokens, heads, size, ...addresses, scratch, scale],
    );
  },
};

/** dy `[batch, tokens, dim]`, qkv, weights and factors of the forward pass → gradient of qkv. */
const attentionDx: KernelSpec = {
  inputs: ["dy", "qkv", "weights", "factors"],
  outputs: ([, shape]) => [shape],
  run(context, [dy, qkv, weights, factors], [out], { heads }) {
    const [batch, tokens, tripled] = qkv.shape;
    const size = tripled / 3 / heads;
    const addresses = [qkv.address, factors?.address ?? 0, weights.address, dy.address, out.address];
    const scratch = context.scratch(attentionScratch(tokens, size, 4, factors ? 2 : 1));
    const scale = 1 / Math.sqrt(size);
    context.kernels.attentionGradient(
      ...[batch * heads, tokens, heads, size, ...addresses, scratch, scale],
    );
  },
};

/** visible `[rows, dim]`, token `[dim]`, restoreRows `[count]` (int32; -1 for the token) → `[count, dim]`. */
const unshuffle: KernelSpec = {
  inputs: ["visible", "token", "restoreRows"],
  outputs: ([[, dim], , [count]]) => [[count, dim]],
  run({ kernels }, [visible, token, restoreRows], [out]) {
    kernels.gatherRows(
      restoreRows.shape[0],
      visible.shape[1],
      visible.address,
      token.address,
      restoreRows.address,
      out.address,
    );
  },
};

/** dy `[count, dim]`, keepRows `[rows]` (int32), mask `[count]` → gradients of visible `[rows, dim]` and token `[dim]`. */
const unshuffleDx: KernelSpec = {
  inputs: ["dy", "keepRows", "mask"],
  outputs: ([[, dim], [rows]]) => [[rows, dim], [dim]],
  accumulates: [1],
  run({ kernels }, [dy, keepRows, mask], [dVisible, dToken]) {
    const [count, dim] = dy.shape;
    kernels.gatherRows(keepRows.shape[0], dim, dy.address, 0, keepRows.address, dVisible.address);
    kernels.sumMaskedRows(count, dim, dy.address, mask.address, dToken.address);
  },
};

/** pred and target `[rows, dim]`, mask `[rows]` → loss (a scalar), and its gradient `[rows, dim]`. */
const maskedLoss: KernelSpec = {
  inputs: ["pred", "target", "mask"],
  outputs: ([shape]) => [[], shape],
  run({ kernels }, [pred, target, mask], [loss, grad]) {
    const [rows, dim] = pred.shape;
    kernels.maskedLoss(rows, dim, pred.address, target.address, mask.address, loss.address, grad.address);
  },
};

/** logits `[batch, classes]`, labels `[batch]` (int32) → loss (a scalar), and its gradient `[batch, classes]`. */
const crossEntropy: KernelSpec = {
  inputs: ["logits", "labels"],
  outputs: ([shape]) => [[], shape],
  run({ kernels }, [logits, labels], [loss, grad]) {
    const [batch, classes] = logits.shape;
    kernels.crossEntropy(batch, classes, logits.address, labels.address, loss.address, grad.address);
  },
};

/** x `[batch, tokens, dim]` → `[batch, dim]`, the mean over `count` tokens from `first` on. */
const meanPool: KernelSpec = {
  inputs: ["x"],
  outputs: ([[batch, , dim]]) => [[batch, dim]],
  run({ kernels }, [x], [out], { first, count }) {
    const [batch, tokens, dim] = x.shape;
    kernels.meanPool(batch, tokens, first, count, dim, x.address, out.address);
  },
};

/** dy `[batch, dim]` → `[batch, tokens, dim]`. */
const meanPoolDx: KernelSpec = {
  inputs: ["dy"],
  outputs: ([[batch, dim]], { tokens }) => [[batch, tokens, dim]],
  run({ kernels }, [dy], [dx], { tokens, first, count }) {
    const [batch, dim] = dy.shape;
    kernels.meanPoolGradient(batch, tokens, first, count, dim, dy.address, dx.address);
  },
};

/** x and y `[batch, ...]`, factors `[batch]` → x + factors · y. */
const addScaled: KernelSpec = {
  inputs: ["x", "y", "factors"],
  inPlace: true,
  outputs: ([shape]) => [shape],
  run({ kernels }, [x, y, factors], [out]) {
    const [batch] = factors.shape;
    kernels.addScaled(batch, sizeOf(x.shape) / batch, x.address, y.address, factors.address, out.address);
  },
};

/** x `[batch, ...]`, factors `[batch]` → factors · x. */
const scaleRows: KernelSpec = {
  inputs: ["x", "factors"],
  inPlace: true,
  outputs: ([shape]) => [shape],
  run({ kernels }, [x, factors], [out]) {
    const [batch] = factors.shape;
    kernels.scaleRows(batch, sizeOf(x.shape) / batch, x.address, factors.address, out.address);
  },
};

/** x of any shape, factor (a scalar) → their product. */
const scale: KernelSpec = {
  inputs: ["x", "factor"],
  inPlace: true,
  outputs: ([shape]) => [shape],
  run({ kernels }, [x, factor], [out]) {
    kernels.scale(sizeOf(x.shape), x.address, factor.address, out.address);
  },
};

/** Returns whether b, without its leading axes of length 1, has the last axes of a. Broadcasting then repeats b as a whole. */
const isSuffix = (a: Shape, b: Shape) => {
  const axes = b.slice(b.findIndex((length) => length !== 1)), last = a.slice(a.length - axes.length);
  return axes.length <= a.length && axes.every((length, i) => length === last[i]);
};

/** a, and b with the shape of a or of its last axes → their sum. */
const add: KernelSpec = {
  inputs: ["a", "b"],
  inPlace: true,
  unsupported: ([a, b]) => isSuffix(a, b) ? null : `no kernel adds [${a}] and [${b}]`,
  outputs: ([shape]) => [shape],
  run({ kernels }, [a, b], [out]) {
    kernels.add(sizeOf(a.shape), sizeOf(b.shape), a.address, b.address, out.address);
  },
};

/** a and b of the same shape → their elementwise product. */
const multiply: KernelSpec = {
  inputs: ["a", "b"],
  inPlace: true,
  unsupported: ([a, b]) => `${a}` === `${b}` ? null : `no kernel multiplies [${a}] by [${b}]`,
  outputs: ([shape]) => [shape],
  run({ kernels }, [a, b], [out]) {
    kernels.multiply(sizeOf(a.shape), a.address, b.address, out.address);
  },
};

/** The model's operations by their names in TensorFlow.js's kernel registry. */
export const SPECS = {
  UnmaskLinear: linear,
  UnmaskLinearDx: linearDx,
  UnmaskLinearDw: linearDw,
  UnmaskGelu: gelu,
  UnmaskLayerNorm: layerNorm,
  UnmaskLayerNormDx: layerNormDx,
  UnmaskAttention: attention,
  UnmaskAttentionDx: attentionDx,
  UnmaskUnshuffle: unshuffle,
  UnmaskUnshuffleDx: unshuffleDx,
  UnmaskMaskedLoss: maskedLoss,
  UnmaskCrossEntropy: crossEntropy,
  UnmaskMeanPool: meanPool,
  UnmaskMeanPoolDx: meanPoolDx,
  UnmaskAddScaled: addScaled,
  UnmaskScaleRows: scaleRows,
  UnmaskScale: scale,
} satisfies Record<string, KernelSpec>;

/** TensorFlow.js's own operations that occur in a training step. */
export const PLAIN_SPECS = { Add: add, Multiply: multiply } satisfies Record<string, KernelSpec>;

/** Name of one of the model's operations. */
export type SpecName = keyof typeof SPECS;
