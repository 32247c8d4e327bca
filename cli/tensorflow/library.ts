/**
 * Installs TensorFlow's native library and headers into `deps/` of the npm package.
 *
 * @module
 */
import { downloadLibrary } from "./archive.ts";
import type { LibraryOptions, NativeLibrary } from "./nativeLibrary.ts";
import { unpackWheel } from "./wheel.ts";

/**
 * Installs the library of the npm package's server, or that of TensorFlow's Python package if the server cannot be
 * reached. For a GPU it always installs the latter, because the former needs CUDA 11.2, which current GPUs do not
 * support.
 *
 * @param folder folder of the npm package
 * @throws {SetupError} when neither can be downloaded
 */
export async function installLibrary(
  folder: string,
  { gpu, downloadUrl, log }: LibraryOptions,
): Promise<NativeLibrary> {
  const library = gpu ? null : await downloadLibrary(folder, log, downloadUrl);
  return library ?? await unpackWheel(folder, gpu, log);
}
