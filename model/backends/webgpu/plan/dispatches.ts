/**
 * The dispatches of a plan, before buffers are assigned. They follow from shapes alone, without a device.
 *
 * @module
 */
import type { Call } from "../program.ts";
import type { Value } from "../../simd/plan/graph.ts";

/** The partial gradients of a parameter: `splits` arrays of its size. */
export interface GradientRegion {
  readonly from: { readonly kind: "gradient"; readonly name: string };
  /** Number of floats of all partial gradients. */
  readonly size: number;
}

/** What a dispatch reads or writes. */
export type Source = Value | GradientRegion;

/** A dispatch with its operands, in the order of the program's `writes` and `reads`. */
export interface PlannedDispatch extends Call {
  readonly writes: readonly Source[];
  readonly reads: readonly Source[];
}

/** Forward and backward pass of a step, or a forward pass alone. */
export interface DispatchPlan {
  readonly dispatches: readonly PlannedDispatch[];
  /** Partial losses, whose sum is the loss of a training step; or the output of a forward pass. */
  readonly output: Source;
  /** Number of partial gradients of each trainable parameter. */
  readonly splits: ReadonlyMap<string, number>;
  /** Inputs that the host fills, by name. */
  readonly feeds: ReadonlyMap<string, Value>;
}
