/**
 * Where TensorFlow's native library is on this machine, and what it is told.
 *
 * @module
 */
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

/** Folder for what is kept on this machine, when `UNMASK_DATA` does not name one. */
export const DATA_DIR = ".unmask";

/** What a backend is told of the library. */
export interface TensorflowSettings {
  /** URL of its folder, whether anything is there or not. */
  readonly tensorflow: string;
  /** Threads of an operation. */
  readonly threads: number;
}

/**
 * The library's folder: `UNMASK_TENSORFLOW`, or `tensorflow` in `UNMASK_DATA`.
 *
 * @param env looks up an environment variable; an empty one counts as absent
 */
export function tensorflowFolder(env: (name: string) => string | undefined = Deno.env.get): string {
  return resolve(env("UNMASK_TENSORFLOW") || join(env("UNMASK_DATA") || DATA_DIR, "tensorflow"));
}

/**
 * What a backend is told. The library reads the environment by itself when it loads: what is not set there yet is set
 * here, so that it does not talk, leaves memory of a GPU to others, and has so many threads.
 *
 * @param threads threads of an operation, at the library's first use in this process
 */
export function tensorflowSettings(threads: number = navigator.hardwareConcurrency): TensorflowSettings {
  const told = {
    TF_CPP_MIN_LOG_LEVEL: "2",
    TF_FORCE_GPU_ALLOW_GROWTH: "true",
    TF_NUM_INTRAOP_THREADS: String(threads),
  };
  for (const [name, value] of Object.entries(told)) {
    if (!Deno.env.get(name)) Deno.env.set(name, value);
  }
  return { tensorflow: pathToFileURL(tensorflowFolder()).href, threads };
}
