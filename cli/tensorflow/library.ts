/**
 * TensorFlow's native library and headers, in `deps/` of the package as its own install lays them out.
 *
 * @module
 */
import { downloadLibrary } from "./archive.ts";
import { unpackWheel } from "./wheel.ts";

/** A library in `deps/lib`. */
export interface Library {
  /** For people. */
  readonly name: string;
  /** Files that the addon is linked with. */
  readonly files: readonly string[];
}

/**
 * The package's own library where its server is reached, else that of TensorFlow's Python package. For GPUs always the
 * latter: the former is made for CUDA 11.2, which today's GPUs do not know.
 *
 * @param folder the package's
 * @throws {SetupError} when neither can be had
 */
export async function getLibrary(
  folder: string,
  gpu: boolean,
  log: (line: string) => void,
): Promise<Library> {
  const own = gpu ? null : await downloadLibrary(folder, log, Deno.env.get("TFJS_NODE_CDN_STORAGE"));
  return own ?? await unpackWheel(folder, gpu, log);
}
