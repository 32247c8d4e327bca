/**
 * The native backend for tests, in a cache folder outside the repository.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readSetup, setUpTensorflow } from "../../cli/tensorflow/setUp.ts";
import { setTensorflowVariables } from "../../cli/environment.ts";
import { unavailable } from "./unavailable.ts";

/** Folder of the native backend that tests use. */
export const TENSORFLOW_FOLDER = join(
  Deno.env.get("HOME") ?? Deno.cwd(),
  ".cache",
  "unmask-test",
  "tensorflow",
);

/**
 * What `selectBackend` needs to start it. In CI it is set up first (a quarter of a minute, 1.1 GB); elsewhere null
 * (with the reason printed) when it is not there.
 */
export async function findTensorflow(): Promise<{ tensorflow: string; threads: number } | null> {
  try {
    if (Deno.env.get("CI") === "true") {
      await setUpTensorflow(TENSORFLOW_FOLDER, { gpu: false, log: console.log });
    } else if (!await readSetup(TENSORFLOW_FOLDER)) {
      return unavailable(
        "The native backend",
        `it is not set up (UNMASK_TENSORFLOW=${TENSORFLOW_FOLDER} deno task backend:tensorflow --cpu)`,
      );
    }
  } catch (error) {
    return unavailable("The native backend", (error as Error).message);
  }
  const threads = 2;
  setTensorflowVariables(threads);
  return { threads, tensorflow: pathToFileURL(TENSORFLOW_FOLDER).href };
}
