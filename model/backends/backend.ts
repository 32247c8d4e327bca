/**
 * The interface of a backend.
 *
 * @module
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { NativeOps } from "../ops/native.ts";
import type { PredictionPlanner } from "../prediction/predictor.ts";
import type { Shape } from "../shape.ts";
import type { StepPlanner } from "../training/stepper.ts";
import type { VectorBits } from "./simd/vectorFlags.ts";

/** Options for the start of a backend. */
export interface BackendOptions {
  /** URL of the folder in which `deno task backend:tensorflow` installs the library. */
  readonly tensorflow?: string;
  /** Number of threads that TensorFlow's library is configured to use. */
  readonly threads?: number;
  /** Requires a hardware GPU: neither the CPU nor a software adapter is used. */
  readonly gpuOnly?: boolean;
  /** Width of the vectors for which our kernels are built. 256 is slow without V8's flags. @default 128 */
  readonly vectorBits?: VectorBits;
}

/** An input of a function of tensors. */
export interface Input {
  readonly data: Float32Array | Int32Array;
  readonly shape: Shape;
}

/** Plans trainings and predictions. A backend without one runs operation by operation. */
export interface Planner extends StepPlanner, PredictionPlanner {
  /**
   * Computes a function of tensors in the calling thread. Absent where TensorFlow.js computes operations on the backend.
   *
   * @throws {PlanError} when an operation has no kernel
   */
  evaluate?(
    inputs: readonly Input[],
    compute: (...inputs: Tensor[]) => readonly Tensor[],
  ): Float32Array[];
}

/** A backend that has started. */
export interface StartedBackend {
  /** Kernels of single operations. */
  readonly ops: NativeOps;
  /** Plans whole training steps and forward passes. */
  readonly planner?: Planner;
  /** Width of the vectors of our WebAssembly kernels; absent for other backends. */
  readonly vectorBits?: VectorBits;
}

/** A backend that can be started. */
export interface Backend {
  /**
   * Makes it TensorFlow.js's current backend.
   *
   * @throws {Error} with the reason when it cannot be used on this machine
   */
  start(options: BackendOptions): Promise<StartedBackend>;
}

/** A backend cannot be used; the message is the reason. */
export class BackendError extends Error {
  override readonly name = "BackendError";
}
