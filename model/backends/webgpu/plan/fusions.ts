/**
 * Finds the operations that a program computes in its epilogue.
 *
 * @module
 */
import type { KernelSpec } from "../../simd/kernelSpec.ts";
import { type Graph, type Node, outputsOf, readersOf, type Value } from "../../simd/plan/graph.ts";

/** An operation that is fused with the producer of its input. */
export interface Fused {
  readonly node: Node;
  /** Its other input, if it has two. */
  readonly other?: Value;
}

/** Finds fusions, and remembers the operations that they replace. */
export class Fusions {
  readonly #nodes: readonly Node[];
  readonly #readers: ReadonlyMap<Value, number[]>;
  readonly #outputs: ReadonlySet<Value>;
  readonly #producers: ReadonlyMap<Value, number>;
  readonly #replaced = new Set<Node>();

  constructor(graph: Graph) {
    this.#nodes = graph.nodes;
    this.#readers = readersOf(graph.nodes);
    this.#outputs = outputsOf(graph);
    this.#producers = new Map(
      graph.nodes.flatMap(({ outputs }, i) => outputs.map(({ value }) => [value, i] as const)),
    );
  }

  /** Returns whether another node computes this one in its epilogue. */
  has(node: Node): boolean {
    return this.#replaced.has(node);
  }

  /** Marks a node that another one computes. */
  replace(node: Node): void {
    this.#replaced.add(node);
  }

  /**
   * Returns the only reader of the first output of node `i`, if it is an operation of the given kind whose other input
   * exists before node `i`. It counts as replaced from then on.
   *
   * @param canRepeat whether the other input may be smaller than the output
   */
  take(i: number, spec: KernelSpec, canRepeat = false): Fused | undefined {
    const { value } = this.#nodes[i].outputs[0], readers = this.#readers.get(value) ?? [];
    const node = this.#nodes[readers[0]];
    if (readers.length !== 1 || this.#outputs.has(value) || node.spec !== spec) return undefined;
    const others = node.inputs.filter((input) => input!.value !== value);
    const other = others[0]?.value;
    if (others.length !== node.inputs.length - 1) return undefined;
    if (other) {
      const isRepeated = other.size !== value.size;
      if (isRepeated && !(canRepeat && node.inputs[0]!.value === value)) return undefined;
      if ((this.#producers.get(other) ?? -1) >= i) return undefined;
    }
    this.#replaced.add(node);
    return { node, other };
  }
}
