/**
 * TensorFlow's native library through `@tensorflow/tfjs-node`, which is no dependency of this project: it stands in a
 * folder that `deno task backend:tensorflow` fills.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import util from "node:util";
import { type Backend, BackendError } from "./backend.ts";

/** File of the folder that is written last, when everything else is in place; relative to the folder. */
export const SETUP_FILE = "setup.json";

/** What {@linkcode SETUP_FILE} says. */
export interface TensorflowSetup {
  /** `@tensorflow/tfjs-node` or `@tensorflow/tfjs-node-gpu`. */
  readonly package: string;
  /** Which native library, for people. */
  readonly library: string;
  /** Which version of the set-up made it. */
  readonly recipe: number;
}

/** The native library in use. */
export interface TensorflowLibrary {
  /** As `2.21.0`. */
  readonly version: string;
  /** Whether it computes on a GPU. */
  readonly gpu: boolean;
}

/** The part of the package's native addon that is asked here. */
interface Binding {
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
}

const NOT_SET_UP = "it is not set up: run deno task backend:tensorflow";

/** Functions that `tfjs-node` 4.22 calls and that Node and Deno no longer have. */
const REMOVED = {
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
  isArray: Array.isArray,
};

/**
 * Loads the package. Its copy of TensorFlow.js's core shares the engine of ours, which is kept on the global object.
 *
 * @throws {BackendError} when it is not set up, is without CUDA where that is needed, or does not load
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
  // Without CUDA the library need not be read to know it.
  if (gpuOnly && !setup.package.endsWith("-gpu")) throw new BackendError("it is set up without CUDA");
  for (const [name, stand] of Object.entries(REMOVED)) {
    if (!(name in util)) Object.assign(util, { [name]: stand });
  }
  try {
    require(setup.package);
  } catch (error) {
    const [line] = String((error as Error).message).split("\n");
    throw new BackendError(`its library does not load: ${line}`, { cause: error });
  }
}

/** The native library in use; the backend must have started. */
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
    if (gpuOnly && !tensorflowLibrary().gpu) throw new BackendError("TensorFlow sees no GPU");
    return { ops: { threads } };
  },
};
