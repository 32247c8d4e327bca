/**
 * The interface between an operation and its kernels.
 *
 * @module
 */
import type { Shape } from "../../shape.ts";
import type { Kernels } from "./instance.ts";

/** A tensor in the kernels' memory. */
export interface Operand {
  readonly shape: Shape;
  /** Address in bytes. */
  readonly address: number;
}

/** Numeric attributes of an operation, by name. */
export type Attributes = Readonly<Record<string, number>>;

/** What an operation can use while it runs. */
export interface KernelContext {
  readonly kernels: Kernels;
  /** Returns the address of a buffer of `length` floats that is free until the operation ends. */
  scratch(length: number): number;
  /** Whether the outputs named in `overwritable` are written (beta = 0) or added to. */
  readonly overwrite: boolean;
}

/** An operation: the shapes of its outputs, and the kernel calls that compute them. */
export interface KernelSpec {
  /** Names of the inputs in the order of `run`. The last ones may be absent. */
  readonly inputs: readonly string[];
  /** Returns the shapes of the outputs. */
  outputs(inputs: readonly Shape[], attributes: Attributes): Shape[];
  /** Indices of the outputs to which `run` adds. They must be zeroed before. */
  readonly accumulates?: readonly number[];
  /** Those of `accumulates` that `run` can also overwrite. */
  readonly overwritable?: readonly number[];
  /** Whether the output may share the memory of the first input. */
  readonly inPlace?: boolean;
  /** Returns why the kernels do not support these shapes, or null. Absent where all shapes are supported. */
  unsupported?(inputs: readonly Shape[]): string | null;
  /** Makes the kernel calls. */
  run(
    context: KernelContext,
    inputs: readonly Operand[],
    outputs: readonly Operand[],
    attributes: Attributes,
  ): void;
}
