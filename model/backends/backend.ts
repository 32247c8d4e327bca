/**
 * The interface of a backend.
 *
 * @module
 */
import type { NativeOps } from "../ops/native.ts";
import type { Planner } from "../training/stepper.ts";

/** All backends, in the order in which messages list them. */
export const BACKENDS = ["simd", "tensorflow", "webgpu", "wasm", "cpu"] as const;
/** Name of a backend. */
export type BackendName = typeof BACKENDS[number];

/** The backends that need no set-up and no special hardware. */
export const EMBEDDED_BACKENDS = ["simd", "wasm", "cpu"] as const satisfies readonly BackendName[];

/** Settings of a backend. */
export interface BackendSettings {
  /** URL of the folder in which `deno task backend:tensorflow` installs the library. */
  readonly tensorflow?: string;
  /** Number of threads that TensorFlow's library is configured to use. */
  readonly threads?: number;
  /** Refuses everything but a hardware GPU, software adapters included. */
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

/** A backend cannot be used; the message is the reason. */
export class BackendError extends Error {
  override readonly name = "BackendError";
}
