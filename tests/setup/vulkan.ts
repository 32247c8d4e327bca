/**
 * A driver for WebGPU in tests: a GPU's, or Mesa's that runs on the processor.
 *
 * @module
 */
import { selectBackend } from "../../model/backends/select.ts";
import { findTensorflow } from "./tensorflow.ts";
import { installPackage } from "./package.ts";
import { unavailable } from "./unavailable.ts";

const FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** Linux tells Vulkan's drivers by files; without one WebGPU may find OpenGL, which takes a minute to start. */
function found(): boolean {
  if (Deno.build.os !== "linux") return true;
  return FOLDERS.some((folder) => {
    try {
      return [...Deno.readDirSync(folder)].length > 0;
    } catch {
      return false;
    }
  });
}

/**
 * Whether WebGPU has an adapter; `mesa-vulkan-drivers` is installed for it in CI, where it is an error when there is
 * none. Elsewhere the reason is printed.
 */
export async function findVulkan(): Promise<boolean> {
  // TensorFlow's library and Mesa's driver each bring an LLVM: the process dies where TensorFlow's comes second.
  const native = await findTensorflow();
  if (native) await selectBackend("tensorflow", native);
  const what = "A Vulkan driver";
  if (!found()) {
    const fault = await installPackage("mesa-vulkan-drivers", "install mesa-vulkan-drivers");
    if (!found()) return unavailable(what, fault ?? "apt-get installed none") !== null;
  }
  return await navigator.gpu.requestAdapter() !== null ||
    unavailable(what, "WebGPU finds no adapter") !== null;
}
