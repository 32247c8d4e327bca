/**
 * The list of backends. It loads the module of a backend when that is tried, because some take long to load.
 *
 * @module
 */
import type { Backend } from "./backend.ts";

/** An entry of the list. */
export interface BackendEntry {
  /** The devices for which `auto` tries the backend. */
  readonly auto: readonly ("cpu" | "gpu")[];
  /** Loads the backend's module. */
  load(): Promise<Backend>;
}

const LIST = {
  simd: { auto: ["cpu"], load: async () => (await import("./simd.ts")).simd },
  tensorflow: { auto: ["gpu", "cpu"], load: async () => (await import("./tensorflow.ts")).tensorflow },
  webgpu: { auto: ["gpu"], load: async () => (await import("./webgpu.ts")).webgpu },
  wasm: { auto: ["cpu"], load: async () => (await import("./wasm.ts")).wasm },
  cpu: { auto: ["cpu"], load: async () => (await import("./cpu.ts")).cpu },
} satisfies Record<string, BackendEntry>;

/** Name of a backend. */
export type BackendName = keyof typeof LIST;

/** Every backend by its name. For each device, `auto` tries them in this order. */
export const BACKENDS: Readonly<Record<BackendName, BackendEntry>> = LIST;

/** The names of all backends. */
export const BACKEND_NAMES = Object.keys(LIST) as readonly BackendName[];
