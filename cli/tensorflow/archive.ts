/**
 * Downloads the native library that the install script of `@tensorflow/tfjs-node` downloads.
 *
 * @module
 */
import { join } from "node:path";
import { runProgram, SetupError } from "./program.ts";
import type { NativeLibrary } from "./nativeLibrary.ts";

/** Time limit for a response of the server, in milliseconds. */
const RESPONSE_MS = 5_000;

/** Returns the first group of a pattern in a script of the package. @throws {SetupError} when nothing matches */
async function findInScript(folder: string, script: string, pattern: RegExp): Promise<string> {
  const found = pattern.exec(await Deno.readTextFile(join(folder, "scripts", script)));
  if (!found) {
    throw new SetupError(`The script ${script} of the npm package is unsupported: ${pattern} does not match`);
  }
  return found[1];
}

/**
 * Downloads the library and unpacks it into `deps/` of the npm package.
 *
 * @param folder folder of the npm package
 * @param serverUrl URL with a slash at the end; by default the server that the package names
 * @returns null when the download fails
 * @throws {SetupError} when the package has another form
 */
export async function downloadLibrary(
  folder: string,
  log: (line: string) => void,
  serverUrl?: string,
): Promise<NativeLibrary | null> {
  const host = serverUrl || await findInScript(folder, "install.js", /CDN_STORAGE \|\| '([^']+)'/);
  const version = await findInScript(folder, "deps-constants.js", /LIBTENSORFLOW_VERSION = '([^']+)'/);
  const url = `${host}tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-${version}.tar.gz`;
  const deps = join(folder, "deps"), archive = join(folder, "libtensorflow.tar.gz");
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(new Error("no response")), RESPONSE_MS);
  try {
    const response = await fetch(url, { signal: timeout.signal });
    clearTimeout(timer);
    if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
    log(`Downloading libtensorflow ${version}`);
    await Deno.writeFile(archive, response.body);
    await Deno.mkdir(deps, { recursive: true });
    await runProgram("tar", ["-xzf", archive, "-C", deps], { needs: "tar" });
    return {
      name: `libtensorflow ${version}`,
      files: ["libtensorflow.so.2", "libtensorflow_framework.so.2"],
    };
  } catch (error) {
    log(`libtensorflow cannot be downloaded (${(error as Error).message})`);
    await Deno.remove(deps, { recursive: true }).catch(() => {});
    return null;
  } finally {
    clearTimeout(timer);
    await Deno.remove(archive).catch(() => {});
  }
}
