/**
 * A Vulkan driver for WebGPU in tests: of a GPU, or Mesa's software driver.
 *
 * @module
 */
import { selectBackend } from "../../model/backends/select.ts";
import { findTensorflow } from "./tensorflow.ts";
import { installPackage } from "./package.ts";
import { unavailable } from "./unavailable.ts";

const FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/** Returns whether a Vulkan driver is installed. Without one, WebGPU may use OpenGL, which takes a minute to start. */
function isInstalled(): boolean {
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
 * Returns whether WebGPU has an adapter. In CI `mesa-vulkan-drivers` is installed if necessary. A missing adapter is
 * reported; see {@linkcode unavailable}.
 */
export async function findVulkan(): Promise<boolean> {
  // TensorFlow's library and Mesa's driver both contain LLVM. The process crashes if TensorFlow's is loaded second.
  const options = await findTensorflow();
  if (options) await selectBackend("tensorflow", options);
  const what = "A Vulkan driver";
  if (!isInstalled()) {
    const fault = await installPackage("mesa-vulkan-drivers", "install mesa-vulkan-drivers");
    if (!isInstalled()) return unavailable(what, fault ?? "apt-get did not install it") !== null;
  }
  return await navigator.gpu.requestAdapter() !== null ||
    unavailable(what, "WebGPU finds no adapter") !== null;
}
