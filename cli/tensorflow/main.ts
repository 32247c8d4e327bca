/**
 * `deno task backend:tensorflow [--gpu|--cpu] [--force]`: sets up TensorFlow's native library in `UNMASK_TENSORFLOW`.
 * By default the library has CUDA if the machine has an NVIDIA GPU.
 *
 * @module
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadSettings } from "../settings/environment.ts";
import { SetupError } from "./program.ts";
import { hasNvidiaGpu, setUpTensorflow } from "./setUp.ts";

const { values } = parseArgs({
  options: { gpu: { type: "boolean" }, cpu: { type: "boolean" }, force: { type: "boolean" } },
});
try {
  const gpu = values.gpu ?? (!values.cpu && await hasNvidiaGpu());
  const { tensorflowDir, tensorflowDownloadUrl } = loadSettings();
  await setUpTensorflow(resolve(tensorflowDir), {
    gpu,
    force: values.force,
    downloadUrl: tensorflowDownloadUrl ?? undefined,
    log: console.log,
  });
  if (gpu && !await hasNvidiaGpu()) {
    console.log("This machine has no NVIDIA GPU: TensorFlow computes on the CPU until it has one");
  }
} catch (error) {
  console.error(error instanceof SetupError ? error.message : error);
  Deno.exit(1);
}
