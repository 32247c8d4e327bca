/**
 * Lowers a recorded graph to dispatches.
 *
 * @module
 */
import { PlanError } from "../../../planError.ts";
import { type Shape, sizeOf } from "../../../shape.ts";
import type { KernelSpec } from "../../simd/kernelSpec.ts";
import type { Graph, Node, Value } from "../../simd/plan/graph.ts";
import { CHUNK_WEIGHT } from "../../simd/plan/record.ts";
import { PLAIN_SPECS, SPECS } from "../../simd/specs.ts";
import { attentionCalls, MAX_HEAD_DIM } from "../kernels/attention.ts";
import { ADD, ADD_SCALED, MULTIPLY, SCALE_IMAGES } from "../kernels/elementwise.ts";
import { GELU } from "../kernels/gelu.ts";
import { layerNormCall, layerNormGradientCall } from "../kernels/layerNorm.ts";
import { CROSS_ENTROPY, maskedLossCall } from "../kernels/losses.ts";
import { MEAN_POOL, MEAN_POOL_GRADIENT } from "../kernels/meanPool.ts";
import { columnSumsCall } from "../kernels/sums.ts";
import { GATHER_ROWS, TOKEN_GRADIENT, UNSHUFFLE, UNSHUFFLE_POSITIONS } from "../kernels/unshuffle.ts";
import { linearCall, linearGradientCall, tileByCount, type TileChoice } from "../linearCalls.ts";
import { type Call, elementCall } from "../program.ts";
import type { DispatchPlan, PlannedDispatch, Source } from "./dispatches.ts";
import { Fusions } from "./fusions.ts";

const newValue = (size: number): Value => ({ size, from: { kind: "result" } });

/** The state of a lowering. */
class Lowering {
  readonly dispatches: PlannedDispatch[] = [];
  readonly splits = new Map<string, number>();
  readonly fusions: Fusions;
  /** Values that another value replaces. */
  readonly #replacements = new Map<Value, Source>();
  readonly #parameters: ReadonlyMap<Value, string>;

  constructor(readonly graph: Graph, readonly tileOf: TileChoice) {
    this.fusions = new Fusions(graph);
    this.#parameters = new Map([...graph.gradients].map(([name, value]) => [value, name]));
  }

  /** Returns what is read in place of a value. */
  source(value: Value): Source {
    return this.#replacements.get(value) ?? value;
  }

  replace(value: Value, replacement: Value): void {
    this.#replacements.set(value, this.source(replacement));
  }

  emit(call: Call, reads: readonly (Value | undefined)[], writes: readonly Source[]): void {
    const present = reads.flatMap((value) => value ? [this.source(value)] : []);
    this.dispatches.push({ ...call, reads: present, writes });
  }

  /** Returns where partial gradients are written: in the gradients of a parameter, or nowhere if it is frozen. */
  gradient({ value }: { readonly value: Value }, splits = 1): Source {
    const name = this.#parameters.get(value), size = splits * value.size;
    if (name === undefined) return newValue(size);
    this.splits.set(name, splits);
    return { from: { kind: "gradient", name }, size };
  }
}

type Emit = (lowering: Lowering, node: Node, index: number) => void;

const values = ({ inputs }: Node) => inputs.map((input) => input?.value as Value);
const results = ({ outputs }: Node) => outputs.map(({ value }) => value);
const shapes = ({ inputs }: Node) => inputs.map((input) => input?.shape as Shape);

const attentionOf = (
  { attributes: { heads } }: Node,
  [batch, tokens, tripled]: Shape,
  hasDropout: boolean,
) => {
  const dim = tripled / 3;
  if (dim / heads > MAX_HEAD_DIM) throw new PlanError(`no program has heads of ${dim / heads} values`);
  return attentionCalls({ batch, tokens, dim, heads, hasDropout });
};

const EMITTERS = new Map<KernelSpec, Emit>([
  [SPECS.UnmaskLinear, (to, node, i) => {
    const [x, weight, bias, residual] = values(node), [[rows], [outDim, inDim]] = shapes(node);
    const gelu = residual ? undefined : to.fusions.take(i, SPECS.UnmaskGelu);
    const call = linearCall(rows, outDim, inDim, residual ? "residual" : gelu ? "gelu" : "none", to.tileOf);
    to.emit(call, [x, weight, bias, residual], results(gelu?.node ?? node));
  }],
  [SPECS.UnmaskLinearDw, (to, node, i) => {
    const [dy, x] = values(node), [[rows, outDim], [, inDim]] = shapes(node);
    // The gradient of the input follows, unless it is not used.
    const next = to.graph.nodes[i + 1], isDx = next?.spec === SPECS.UnmaskLinearDx && values(next)[0] === dy;
    const product = isDx ? to.fusions.take(i + 1, PLAIN_SPECS.Multiply) : undefined;
    const kind = product ? "all · factor" : isDx ? "all" : "parameters";
    const call = linearGradientCall(rows, outDim, inDim, kind, to.tileOf);
    const gradients = node.outputs.map((output) => to.gradient(output, call.splits));
    if (!isDx) return to.emit(call, [dy, x], gradients);
    to.fusions.replace(next);
    to.emit(call, [dy, x, values(next)[1], product?.other], [
      ...results(product?.node ?? next),
      ...gradients,
    ]);
  }],
  [SPECS.UnmaskGelu, (to, node) => {
    to.emit(elementCall(GELU, sizeOf(shapes(node)[0])), values(node), results(node));
  }],
  [SPECS.UnmaskLayerNorm, (to, node) => {
    const [x] = values(node), [[rows, dim]] = shapes(node), [out, normed, scale] = results(node);
    // The gradient reads the input and its moments in place of the normed rows.
    const moments = newValue(2 * rows);
    to.replace(normed, x);
    to.replace(scale, moments);
    to.emit(layerNormCall(rows, dim, node.attributes.eps), values(node), [out, moments]);
  }],
  [SPECS.UnmaskLayerNormDx, (to, node, i) => {
    const [[rows, dim]] = shapes(node), [dx, dWeight, dBias] = node.outputs;
    const sum = to.fusions.take(i, PLAIN_SPECS.Add), call = layerNormGradientCall(rows, dim, Boolean(sum));
    const gradients = [dWeight, dBias].map((output) => to.gradient(output, call.groups));
    to.emit(call, [...values(node), sum?.other], [sum ? results(sum.node)[0] : dx.value, ...gradients]);
  }],
  [SPECS.UnmaskAttention, (to, node) => {
    const [qkv, factors] = values(node), [shape] = shapes(node), [out, weights] = results(node);
    // The gradient reads the logarithms of the rows' sums in place of the weights.
    const logSumExps = newValue(shape[0] * node.attributes.heads * shape[1]);
    to.replace(weights, logSumExps);
    to.emit(attentionOf(node, shape, Boolean(factors)).forward, [qkv, factors], [out, logSumExps]);
  }],
  [SPECS.UnmaskAttentionDx, (to, node) => {
    const [dy, qkv, logSumExps, factors] = values(node), [, shape] = shapes(node), writes = results(node);
    const forward = to.graph.nodes.find(({ outputs }) => outputs[1]?.value === logSumExps)!;
    const value = forward.outputs[0].value,
      [first, keys] = attentionOf(node, shape, Boolean(factors)).gradient;
    const deltas = newValue(to.source(logSumExps).size), reads = [qkv, dy, value, logSumExps, factors];
    to.emit(first, reads, keys ? [...writes, deltas] : writes);
    if (keys) to.emit(keys, [qkv, dy, logSumExps, deltas, factors], writes);
  }],
  [SPECS.UnmaskUnshuffle, (to, node, i) => {
    const [out] = results(node), [, token] = values(node), sum = to.fusions.take(i, PLAIN_SPECS.Add, true);
    const call = sum
      ? elementCall(UNSHUFFLE_POSITIONS, out.size, [token.size, sum.other!.size])
      : elementCall(UNSHUFFLE, out.size, [token.size]);
    to.emit(call, [...values(node), sum?.other], results(sum?.node ?? node));
  }],
  [SPECS.UnmaskUnshuffleDx, (to, node) => {
    const [dy, keepRows, mask] = values(node),
      [[rows, dim]] = shapes(node),
      [dVisible, dToken] = node.outputs;
    to.emit(elementCall(GATHER_ROWS, dVisible.value.size, [dim]), [dy, keepRows], [dVisible.value]);
    to.emit(columnSumsCall(TOKEN_GRADIENT, rows, dim), [dy, mask], [to.gradient(dToken)]);
  }],
  [SPECS.UnmaskMaskedLoss, (to, node) => {
    const [[rows, dim]] = shapes(node), call = maskedLossCall(rows, dim), [loss, grad] = results(node);
    const partials = newValue(call.groups);
    to.replace(loss, partials);
    to.emit(call, values(node), [partials, grad]);
  }],
  [SPECS.UnmaskCrossEntropy, (to, node) => {
    to.emit({ program: CROSS_ENTROPY, uniforms: shapes(node)[0], groups: 1 }, values(node), results(node));
  }],
  [SPECS.UnmaskMeanPool, (to, node) => {
    const [[, tokens, dim]] = shapes(node), [out] = results(node), { first, count } = node.attributes;
    to.emit(elementCall(MEAN_POOL, out.size, [tokens, first, count, dim]), values(node), [out]);
  }],
  [SPECS.UnmaskMeanPoolDx, (to, node) => {
    const [[, dim]] = shapes(node), [dx] = results(node), { tokens, first, count } = node.attributes;
    to.emit(elementCall(MEAN_POOL_GRADIENT, dx.size, [tokens, first, count, dim]), values(node), [dx]);
  }],
  [SPECS.UnmaskAddScaled, (to, node) => {
    const [, , factors] = values(node), [out] = results(node);
    to.emit(elementCall(ADD_SCALED, out.size, [out.size / factors.size]), values(node), [out]);
  }],
  [SPECS.UnmaskScaleRows, (to, node) => {
    const [, factors] = values(node), [out] = results(node);
    to.emit(elementCall(SCALE_IMAGES, out.size, [out.size / factors.size]), values(node), [out]);
  }],
  [SPECS.UnmaskScale, (to, node) => {
    const [x, { from }] = values(node);
    if (from.kind !== "feed" || from.name !== CHUNK_WEIGHT) {
      throw new PlanError("no program scales by a value");
    }
    // The factor is the share of the chunk in the batch. Here the whole batch is one chunk.
    to.replace(results(node)[0], x);
  }],
  [PLAIN_SPECS.Add, (to, node) => {
    const [, b] = values(node), [out] = results(node);
    to.emit(elementCall(ADD, out.size, [b.size]), values(node), [out]);
  }],
  [PLAIN_SPECS.Multiply, (to, node) => {
    const [out] = results(node);
    to.emit(elementCall(MULTIPLY, out.size), values(node), [out]);
  }],
]);

/**
 * Lowers a graph.
 *
 * @param tileOf chooses the tiles of products
 * @throws {PlanError} when an operation has no program, or a gradient is not the result of a single one
 */
export function lower(graph: Graph, tileOf = tileByCount): DispatchPlan {
  const lowering = new Lowering(graph, tileOf);
  graph.nodes.forEach((node, i) => {
    if (lowering.fusions.has(node)) return;
    const emit = EMITTERS.get(node.spec);
    if (!emit) throw new PlanError("an operation has no program");
    emit(lowering, node, i);
  });
  for (const name of graph.gradients.keys()) {
    if (!lowering.splits.has(name)) throw new PlanError(`no program writes the gradient of ${name}`);
  }
  const feeds = new Map([...graph.feeds].filter(([name]) => name !== CHUNK_WEIGHT));
  return {
    dispatches: lowering.dispatches,
    output: lowering.source(graph.outputs[0]),
    splits: lowering.splits,
    feeds,
  };
}
