/**
 * TensorFlow's native library through `@tensorflow/tfjs-node`. The package is not a dependency of this project:
 * `deno task backend:tensorflow` installs it in a folder.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import util from "node:util";
import { type Backend, BackendError } from "./backend.ts";

/** File in that folder that is written last, when the installation is complete. */
export const SETUP_FILE = "setup.json";

/** Content of {@linkcode SETUP_FILE}. */
export interface TensorflowSetup {
  /** `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu`. */
  readonly package: string;
  /** Description of the native library, for messages. */
  readonly library: string;
  /** Version of the set-up that installed it. */
  readonly recipe: number;
}

/** The native library in use. */
export interface TensorflowLibrary {
  /** For example `2.21.0`. */
  readonly version: string;
  /** Whether it computes on a GPU. */
  readonly gpu: boolean;
}

/** The part of the package's native addon that is used here. */
interface Binding {
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
}

const NOT_SET_UP = "it is not set up: run deno task backend:tensorflow";

/** Functions of `node:util` that `tfjs-node` 4.22 calls and that Node and Deno have removed. */
const REMOVED_UTILS = {
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
  isArray: Array.isArray,
};

/**
 * Loads the package. Its copy of TensorFlow.js's core uses the same engine as ours, which is a global object.
 *
 * @throws {BackendError} when it is not installed, lacks CUDA although `gpuOnly` is set, or does not load
 */
function load(folder: string, gpuOnly: boolean): void {
  const base = folder.endsWith("/") ? folder : `${folder}/`;
  const setupFile = fileURLToPath(new URL(SETUP_FILE, base));
  const require = createRequire(setupFile);
  let setup: TensorflowSetup;
  try {
    setup = require(setupFile);
  } catch {
    throw new BackendError(NOT_SET_UP);
  }
  // Checked before the library is loaded, which takes seconds.
  if (gpuOnly && !setup.package.endsWith("-gpu")) throw new BackendError("it is set up without CUDA");
  for (const [name, replacement] of Object.entries(REMOVED_UTILS)) {
    if (!(name in util)) Object.assign(util, { [name]: replacement });
  }
  try {
    require(setup.package);
  } catch (error) {
    const [line] = String((error as Error).message).split("\n");
    throw new BackendError(`its library does not load: ${line}`, { cause: error });
  }
}

/** Returns the native library in use. The backend must have started. */
export function tensorflowLibrary(): TensorflowLibrary {
  const { binding } = tf.backend() as unknown as { readonly binding: Binding };
  return { version: binding.TF_Version, gpu: binding.isUsingGpuDevice() };
}

/** TensorFlow's native library. */
export const tensorflow: Backend = {
  async start({ tensorflow, gpuOnly, threads }) {
    if (!tensorflow) throw new BackendError(NOT_SET_UP);
    load(tensorflow, gpuOnly ?? false);
    if (!await tf.setBackend("tensorflow")) throw new BackendError("it did not start");
    if (gpuOnly && !tensorflowLibrary().gpu) throw new BackendError("TensorFlow finds no GPU");
    return { ops: { threads } };
  },
};
