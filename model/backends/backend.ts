/**
 * What a backend is to whoever selects one.
 *
 * @module
 */
import type { NativeOps } from "../ops/native.ts";
import type { Planner } from "../training/stepper.ts";

/** Backends, in the order in which they are told of. */
export const BACKENDS = ["simd", "tensorflow", "webgpu", "wasm", "cpu"] as const;
/** Name of a backend. */
export type BackendName = typeof BACKENDS[number];

/** Those that need nothing beside this repository's packages. */
export const EMBEDDED_BACKENDS = ["simd", "wasm", "cpu"] as const satisfies readonly BackendName[];

/** What a backend may need to know. */
export interface BackendSettings {
  /** URL of the folder that `deno task backend:tensorflow` has filled. */
  readonly tensorflow?: string;
  /** Threads that TensorFlow's library was told to use. */
  readonly threads?: number;
  /** Whether only real hardware for it will do: no processor that plays a GPU. */
  readonly gpuOnly?: boolean;
}

/** A backend that has started. */
export interface StartedBackend {
  /** Kernels of single operations. */
  readonly ops: NativeOps;
  /** Plans whole training steps. */
  readonly planner?: Planner;
}

/** A backend that can be started. */
export interface Backend {
  /**
   * Makes it TensorFlow.js's backend.
   *
   * @throws {Error} with the reason when it cannot be used on this machine
   */
  start(settings: BackendSettings): Promise<StartedBackend>;
}

/** A backend cannot be used; the message says why. */
export class BackendError extends Error {
  override readonly name = "BackendError";
}
