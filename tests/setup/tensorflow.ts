/**
 * The TensorFlow backend for tests, cached outside the repository.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readSetup, setUpTensorflow } from "../../cli/tensorflow/setUp.ts";
import { setTensorflowVariables } from "../../cli/settings/environment.ts";
import { CACHE } from "./cachedProgram.ts";
import { unavailable } from "./unavailable.ts";

/** Folder of the TensorFlow backend. */
export const TENSORFLOW_FOLDER = join(CACHE, "tensorflow");

/**
 * Returns the options with which `selectBackend` starts the backend. In CI it is set up if necessary (15 s, 1.1 GB).
 * Returns null when it is unavailable; see {@linkcode unavailable}.
 */
export async function findTensorflow(): Promise<{ tensorflow: string; threads: number } | null> {
  try {
    if (Deno.env.get("CI") === "true") {
      await setUpTensorflow(TENSORFLOW_FOLDER, { gpu: false, log: console.log });
    } else if (!await readSetup(TENSORFLOW_FOLDER)) {
      return unavailable(
        "The TensorFlow backend",
        `it is not set up (UNMASK_TENSORFLOW=${TENSORFLOW_FOLDER} deno task backend:tensorflow --cpu)`,
      );
    }
  } catch (error) {
    return unavailable("The TensorFlow backend", (error as Error).message);
  }
  const threads = 2;
  setTensorflowVariables(threads);
  return { threads, tensorflow: pathToFileURL(TENSORFLOW_FOLDER).href };
}
