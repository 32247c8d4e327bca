/**
 * The graph of a training step or of a forward pass: its operations in the order of their execution.
 *
 * @module
 */
import { type Shape, sizeOf } from "../../../shape.ts";
import type { Attributes, KernelSpec } from "../kernelSpec.ts";

/** An array that operations read and write. */
export interface Value {
  /** Number of floats. */
  readonly size: number;
  readonly from:
    | { readonly kind: "result" }
    | { readonly kind: "feed" | "parameter" | "frozen"; readonly name: string }
    | { readonly kind: "constant"; readonly data: Float32Array | Int32Array };
}

/** A value with a shape. A reshape returns another view of the same value. */
export interface View {
  readonly value: Value;
  readonly shape: Shape;
}

/** An operation. */
export interface Node {
  readonly spec: KernelSpec;
  /** Undefined for an absent input. */
  readonly inputs: readonly (View | undefined)[];
  readonly outputs: readonly View[];
  readonly attributes: Attributes;
}

/** A forward pass, or forward and backward pass, over a chunk of images. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** The loss of a training step, or the outputs of a forward pass. */
  readonly outputs: readonly Value[];
  /** Gradients by parameter; none in a forward pass. */
  readonly gradients: ReadonlyMap<string, Value>;
  /** Inputs that the host fills, by name. */
  readonly feeds: ReadonlyMap<string, Value>;
}

/** Returns a view. @throws {RangeError} when the shape does not have the size of the value */
export function view(value: Value, shape: Shape): View {
  if (sizeOf(shape) !== value.size) {
    throw new RangeError(`The shape [${shape}] does not have ${value.size} elements`);
  }
  return { value, shape };
}

/** Returns the indices of the nodes that read each value. */
export function readersOf(nodes: readonly Node[]): Map<Value, number[]> {
  const readers = new Map<Value, number[]>();
  nodes.forEach(({ inputs }, i) => {
    for (const input of inputs) if (input) readers.set(input.value, [...(readers.get(input.value) ?? []), i]);
  });
  return readers;
}

/** Returns the outputs of a graph and its gradients. */
export function outputsOf({ outputs, gradients }: Graph): Set<Value> {
  return new Set([...outputs, ...gradients.values()]);
}
