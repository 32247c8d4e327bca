/**
 * Every operation that our kernels compute: the shapes of its results, and the calls that give them. TensorFlow.js
 * runs them one by one (`kernels.ts`), a planned step replays their calls (`plan/`).
 *
 * @module
 */
import { LAYER_NORM_EPS } from "../../ops/layerNorm.ts";
import { type Shape, sizeOf } from "../../shape.ts";
import type { Kernels } from "./instance.ts";
import { EDGE_VALUES, PACKED_FROM, PACKED_VALUES, padded } from "./source/products.ts";

/** A tensor in the kernels' memory. */
export interface Operand {
  readonly shape: Shape;
  /** Address in bytes. */
  readonly at: number;
}

/** Numbers that belong to a call, by name. */
export type Attributes = Readonly<Record<string, number>>;

/** Where an operation's calls go, and what they may use. */
export interface KernelContext {
  readonly kernels: Kernels;
  /** Address of so many values that nobody else uses until the operation has ended. */
  scratch(values: number): number;
  /** Whether the sums named in `anew` hold nothing yet: they are written, not added to. */
  readonly anew: boolean;
}

/** An operation. */
export interface KernelSpec {
  /** Names of the inputs, in the order in which `run` takes them; the last ones may be absent. */
  readonly inputs: readonly string[];
  /** Shapes of the results. */
  outputs(inputs: readonly Shape[], attributes: Attributes): Shape[];
  /** Results that `run` adds to what is there: they start as zeros. */
  readonly sums?: readonly number[];
  /** Those of them that `run` can also write over what is there. */
  readonly anew?: readonly number[];
  /** Whether the result may lie where the first input does. */
  readonly inPlace?: boolean;
  /** Why these shapes are not taken; absent for an operation that takes all that it is given. */
  refuses?(inputs: readonly Shape[]): string | null;
  /** Makes the calls. */
  run(
    context: KernelContext,
    inputs: readonly Operand[],
    outputs: readonly Operand[],
    attributes: Attributes,
  ): void;
}

/** Address of what a product needs at the edge of a matrix. */
const edge = (context: KernelContext) => context.scratch(EDGE_VALUES);

/** x `[rows, in]`, weight `[out, in]`, bias `[out]`, residual `[rows, out]` (may be absent) → `[rows, out]`. */
const linear: KernelSpec = {
  inputs: ["x", "weight", "bias", "residual"],
  outputs: ([[rows], [outDim]]) => [[rows, outDim]],
  run(context, [x, weight, bias, residual], [out]) {
    const [rows, inDim] = x.shape, [outDim] = weight.shape;
    const addresses = [out.at, bias.at, residual?.at ?? 0, edge(context)];
    context.kernels.product(rows, outDim, inDim, x.at, weight.at, 4, 4 * inDim, ...addresses);
  },
};

/** dy `[rows, out]`, weight `[out, in]` → `[rows, in]`. */
const linearDx: KernelSpec = {
  inputs: ["dy", "weight"],
  outputs: ([[rows], [, inDim]]) => [[rows, inDim]],
  run(context, [dy, weight], [out]) {
    const [rows, outDim] = dy.shape, [, inDim] = weight.shape;
    const addresses = [out.at, 0, 0, edge(context)];
    context.kernels.product(rows, inDim, outDim, dy.at, weight.at, 4 * inDim, 4, ...addresses);
  },
};

/** dy `[rows, out]`, x `[rows, in]` → weight's gradient `[out, in]`, bias's `[out]`. */
const linearDw: KernelSpec = {
  inputs: ["dy", "x"],
  outputs: ([[, outDim], [, inDim]]) => [[outDim, inDim], [outDim]],
  sums: [0, 1],
  anew: [0],
  run(context, [dy, x], [weight, bias]) {
    const [rows, outDim] = dy.shape, [, inDim] = x.shape;
    const packed = Math.max(inDim, outDim) < PACKED_FROM ? 0 : context.scratch(PACKED_VALUES);
    context.kernels.transposedProduct(
      ...[rows, outDim, inDim, dy.at, x.at, weight.at, edge(context), packed, Number(context.anew)],
    );
    context.kernels.sumRows(rows, outDim, dy.at, bias.at);
  },
};

/** x of any shape → GELU and its derivative. */
const gelu: KernelSpec = {
  inputs: ["x"],
  outputs: ([shape]) => [shape, shape],
  run({ kernels }, [x], [out, derivative]) {
    kernels.gelu(sizeOf(x.shape), x.at, out.at, derivative.at);
  },
};

/** x `[rows, dim]`, weight and bias `[dim]` → output and normed `[rows, dim]`, scale `[rows]`. */
const layerNorm: KernelSpec = {
  inputs: ["x", "weight", "bias"],
  outputs: ([[rows, dim]]) => [[rows, dim], [rows, dim], [rows]],
  run({ kernels }, [x, weight, bias], [out, normed, scale]) {
    const [rows, dim] = x.shape;
    kernels.layerNorm(rows, dim, x.at, weight.at, bias.at, out.at, normed.at, scale.at, LAYER_NORM_EPS);
  },
};

/** dy `[rows, dim]` and what the forward pass kept → gradients of x, weight and bias. */
const layerNormDx: KernelSpec = {
  inputs: ["dy", "normed", "scale", "weight"],
  outputs: ([[rows, dim]]) => [[rows, dim], [dim], [dim]],
  sums: [1, 2],
  run({ kernels }, [dy, normed, scale, weight], [dx, dWeight, dBias]) {
    const [rows, dim] = dy.shape;
    kernels.layerNormGradient(rows, dim, dy.at, normed.at, scale.at, weight.at, dx.at, dWeight.at, dBias.at);
  },
};

/**
 * qkv `[batch, tokens, 3 · dim]`, factors of dropout `[batch · heads, tokens, tokens]` (may be absent) →
 * `[batch, tokens, dim]`, weights `[batch · heads, tokens, padded]`.
 */
const attention: KernelSpec = {
  inputs: ["qkv", "factors"],
  outputs: ([[batch, tokens, tripled]], { heads }) => [
    [batch, tokens, tripled / 3],
    [batch * heads, tokens, padded(tokens)],
  ],
  run(context, [qkv, factors], [out, weights], { heads }) {
    const [batch, tokens, tripled] = qkv.shape;
    const size = tripled / 3 / heads;
    const addresses = [qkv.at, factors?.at ?? 0, weights.at, out.at];
    const scratch = factors ? context.scratch(padded(tokens) * tokens) : 0;
    const scale = 1 / Math.sqrt(size);
    context.kernels.attention(
      ...[batch, tokens, heads, size, ...addresses, scratch, edge(context), scale],
    );
  },
};

/** dy `[batch, tokens, dim]`, qkv, weights and factors of the forward pass → qkv's gradient. */
const attentionDx: KernelSpec = {
  inputs: ["dy", "qkv", "weights", "factors"],
  outputs: ([, shape]) => [shape],
  run(context, [dy, qkv, weights, factors], [out], { heads }) {
    const [batch, tokens, tripled] = qkv.shape;
    const size = tripled / 3 / heads;
    const addresses = [qkv.at, factors?.at ?? 0, weights.at, dy.at, out.at];
    const scratch = context.scratch(padded(tokens) * tokens * (factors ? 2 : 1));
    const scale = 1 / Math.sqrt(size);
    context.kernels.attentionGradient(
      ...[batch, tokens, heads, size, ...addresses, scratch, edge(context), scale],
    );
  },
};

/** visible `[rows, dim]`, token `[dim]`, from `[count]` (int32; -1 for the token) → `[count, dim]`. */
const unshuffle: KernelSpec = {
  inputs: ["visible", "token", "from"],
  outputs: ([[, dim], , [count]]) => [[count, dim]],
  run({ kernels }, [visible, token, from], [out]) {
    kernels.takeRows(from.shape[0], visible.shape[1], visible.at, token.at, from.at, out.at);
  },
};

/** dy `[count, dim]`, to `[rows]` (int32), mask `[count]` → gradients of visible `[rows, dim]` and token `[dim]`. */
const unshuffleDx: KernelSpec = {
  inputs: ["dy", "to", "mask"],
  outputs: ([[, dim], [rows]]) => [[rows, dim], [dim]],
  sums: [1],
  run({ kernels }, [dy, to, mask], [dVisible, dToken]) {
    const [count, dim] = dy.shape;
    kernels.takeRows(to.shape[0], dim, dy.at, 0, to.at, dVisible.at);
    kernels.sumMasked(count, dim, dy.at, mask.at, dToken.at);
  },
};

/** pred and target `[rows, dim]`, mask `[rows]` → loss (a scalar), and its gradient `[rows, dim]`. */
const maskedLoss: KernelSpec = {
  inputs: ["pred", "target", "mask"],
  outputs: ([shape]) => [[], shape],
  run({ kernels }, [pred, target, mask], [loss, slope]) {
    const [rows, dim] = pred.shape;
    kernels.maskedLoss(rows, dim, pred.at, target.at, mask.at, loss.at, slope.at);
  },
};

/** logits `[batch, classes]`, labels `[batch]` (int32) → loss (a scalar), and its gradient `[batch, classes]`. */
const crossEntropy: KernelSpec = {
  inputs: ["logits", "labels"],
  outputs: ([shape]) => [[], shape],
  run({ kernels }, [logits, labels], [loss, slope]) {
    const [batch, classes] = logits.shape;
    kernels.crossEntropy(batch, classes, logits.at, labels.at, loss.at, slope.at);
  },
};

/** x `[batch, tokens, dim]` → `[batch, dim]`. */
const meanPool: KernelSpec = {
  inputs: ["x"],
  outputs: ([[batch, , dim]]) => [[batch, dim]],
  run({ kernels }, [x], [out]) {
    const [batch, tokens, dim] = x.shape;
    kernels.meanPool(batch, tokens, dim, x.at, out.at);
  },
};

/** dy `[batch, dim]` → `[batch, tokens, dim]`. */
const meanPoolDx: KernelSpec = {
  inputs: ["dy"],
  outputs: ([[batch, dim]], { tokens }) => [[batch, tokens, dim]],
  run({ kernels }, [dy], [dx], { tokens }) {
    const [batch, dim] = dy.shape;
    kernels.meanPoolGradient(batch, tokens, dim, dy.at, dx.at);
  },
};

/** x of any shape, factor (a scalar) → their product. */
const scale: KernelSpec = {
  inputs: ["x", "factor"],
  inPlace: true,
  outputs: ([shape]) => [shape],
  run({ kernels }, [x, factor], [out]) {
    kernels.scale(sizeOf(x.shape), x.at, factor.at, out.at);
  },
};

/** Whether b's values, again and again, are those that broadcasting pairs with a's. */
const repeats = (a: Shape, b: Shape) => {
  const own = b.slice(b.findIndex((length) => length !== 1)), tail = a.slice(a.length - own.length);
  return own.length <= a.length && own.every((length, i) => length === tail[i]);
};

/** a, and b of the same shape or of a's last axes → their sum. */
const add: KernelSpec = {
  inputs: ["a", "b"],
  inPlace: true,
  refuses: ([a, b]) => repeats(a, b) ? null : `no kernel adds [${a}] and [${b}]`,
  outputs: ([shape]) => [shape],
  run({ kernels }, [a, b], [out]) {
    kernels.add(sizeOf(a.shape), sizeOf(b.shape), a.at, b.at, out.at);
  },
};

/** a and b of one shape → their product. */
const multiply: KernelSpec = {
  inputs: ["a", "b"],
  inPlace: true,
  refuses: ([a, b]) => `${a}` === `${b}` ? null : `no kernel multiplies [${a}] by [${b}]`,
  outputs: ([shape]) => [shape],
  run({ kernels }, [a, b], [out]) {
    kernels.multiply(sizeOf(a.shape), a.at, b.at, out.at);
  },
};

/** Every operation by its name in TensorFlow.js's registry. */
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
  UnmaskScale: scale,
} satisfies Record<string, KernelSpec>;

/** TensorFlow.js's own operations that a planned step meets. */
export const PLAIN_SPECS = { Add: add, Multiply: multiply } satisfies Record<string, KernelSpec>;

/** Name of an operation of our own. */
export type SpecName = keyof typeof SPECS;
