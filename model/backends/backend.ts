/**
 * What a backend is to whoever selects one.
 *
 * @module
 */
import type { NativeOps } from "../ops/native.ts";

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

/** How a backend starts. */
export interface Backend {
  /**
   * Makes it TensorFlow.js's backend.
   *
   * @returns its own kernels
   * @throws {Error} that says why it cannot be used here
   */
  start(settings: BackendSettings): Promise<NativeOps>;
}

/** A backend cannot be used; the message says why. */
export class BackendError extends Error {
  override readonly name = "BackendError";
}
