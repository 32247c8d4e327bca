/**
 * `deno run -A cli/tensorflow/selfCheck.ts FOLDER`: starts the TensorFlow backend of a folder, which runs the self-test
 * of all backends, and prints the version and the device.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import { loadSettings } from "../settings/environment.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { tensorflowLibrary } from "../../model/backends/tensorflow.ts";

try {
  await selectBackend("tensorflow", {
    ...loadSettings().compute,
    tensorflow: pathToFileURL(Deno.args[0]).href,
  });
  const { version, gpu } = tensorflowLibrary();
  console.log(`TensorFlow ${version} computes on ${gpu ? "a GPU" : "the CPU"}`);
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}
