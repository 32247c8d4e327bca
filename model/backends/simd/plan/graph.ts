/**
 * A step as a list of operations on values, and what is done to it before it gets its memory.
 *
 * @module
 */
import { type Shape, sizeOf } from "../../../shape.ts";
import type { Attributes, KernelSpec } from "../kernelSpec.ts";
import { PLAIN_SPECS, SPECS } from "../specs.ts";

/** Values that operations read and write; its names with other shapes are the same value. */
export interface Value {
  /** Number of its values. */
  readonly size: number;
  readonly from:
    | { readonly kind: "result" }
    | { readonly kind: "feed" | "parameter" | "frozen"; readonly name: string }
    | { readonly kind: "constant"; readonly data: Float32Array | Int32Array };
}

/** A value as one operation sees it. */
export interface Use {
  readonly value: Value;
  readonly shape: Shape;
}

/** An operation of a step. */
export interface Node {
  readonly spec: KernelSpec;
  /** Undefined where an input is absent. */
  readonly inputs: readonly (Use | undefined)[];
  readonly outputs: readonly Use[];
  readonly attributes: Attributes;
}

/** Forward and backward pass over some images. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly loss: Value;
  /** By parameter, each as large as it. */
  readonly gradients: ReadonlyMap<string, Value>;
  /** What the host gives, by name. */
  readonly feeds: ReadonlyMap<string, Value>;
}

/** For each value the indices of the operations that read it. */
export function readers(nodes: readonly Node[]): Map<Value, number[]> {
  const all = new Map<Value, number[]>();
  nodes.forEach(({ inputs }, i) => {
    for (const use of inputs) if (use) all.set(use.value, [...(all.get(use.value) ?? []), i]);
  });
  return all;
}

/** Leaves out what neither the loss nor a gradient needs. */
export function pruned(graph: Graph): Graph {
  const needed = new Set([graph.loss, ...graph.gradients.values()]);
  const nodes = graph.nodes.toReversed().filter(({ inputs, outputs }) => {
    const used = outputs.some(({ value }) => needed.has(value));
    if (used) { for (const use of inputs) if (use) needed.add(use.value); }
    return used;
  }).toReversed();
  return { ...graph, nodes };
}

/** A linear layer whose result is only added to something known by then: the product starts from that. */
export function withResiduals(graph: Graph): Graph {
  const uses = readers(graph.nodes);
  const kept = new Set([graph.loss, ...graph.gradients.values()]);
  const madeAt = new Map(
    graph.nodes.flatMap(({ outputs }, i) => outputs.map(({ value }) => [value, i] as const)),
  );
  const nodes: (Node | null)[] = [...graph.nodes];
  graph.nodes.forEach((node, i) => {
    if (node.spec !== SPECS.UnmaskLinear) return;
    const [{ value, shape }] = node.outputs;
    const [next, ...others] = uses.get(value) ?? [];
    if (next === undefined || others.length > 0 || kept.has(value) || node.inputs[3]) return;
    const sum = nodes[next];
    if (sum?.spec !== PLAIN_SPECS.Add) return;
    const other = sum.inputs.find((use) => use!.value !== value);
    if (!other || other.value.size !== value.size || (madeAt.get(other.value) ?? -1) >= i) return;
    nodes[i] = {
      ...node,
      inputs: [...node.inputs.slice(0, 3), { value: other.value, shape }],
      outputs: [{ value: sum.outputs[0].value, shape }],
    };
    nodes[next] = null;
  });
  return { ...graph, nodes: nodes.filter((node) => node !== null) };
}

/** The graph of a step, ready to be laid out. */
export function simplified(graph: Graph): Graph {
  return withResiduals(pruned(graph));
}

/** Checks that a use has the size of its value: anything else is a mistake of the recording. */
export function use(value: Value, shape: Shape): Use {
  if (sizeOf(shape) !== value.size) throw new RangeError(`[${shape}] is no shape of ${value.size} values`);
  return { value, shape };
}
