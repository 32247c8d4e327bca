/**
 * The native library that `@tensorflow/tfjs-node` itself would download.
 *
 * @module
 */
import { join } from "node:path";
import { runProgram, SetupError } from "./program.ts";
import type { NativeLibrary } from "./nativeLibrary.ts";

/** Time in which the server has to answer, in milliseconds. */
const ANSWER_WITHIN = 5_000;

/** What a package's script says where a pattern has its group. @throws {SetupError} when it does not say it */
async function said(folder: string, script: string, pattern: RegExp): Promise<string> {
  const found = pattern.exec(await Deno.readTextFile(join(folder, "scripts", script)));
  if (!found) throw new SetupError(`The package's ${script} is not as expected`);
  return found[1];
}

/**
 * Downloads and unpacks it into `deps/` of the package.
 *
 * @param folder the package's
 * @param storage the server with a slash at the end, as in `TFJS_NODE_CDN_STORAGE`; the package's own when absent
 * @returns null where it cannot be had
 * @throws {SetupError} when the package is not as expected
 */
export async function downloadLibrary(
  folder: string,
  log: (line: string) => void,
  storage?: string,
): Promise<NativeLibrary | null> {
  const host = storage || await said(folder, "install.js", /CDN_STORAGE \|\| '([^']+)'/);
  const version = await said(folder, "deps-constants.js", /LIBTENSORFLOW_VERSION = '([^']+)'/);
  const url = `${host}tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-${version}.tar.gz`;
  const deps = join(folder, "deps"), archive = join(folder, "libtensorflow.tar.gz");
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new Error("no answer")), ANSWER_WITHIN);
  try {
    const response = await fetch(url, { signal: late.signal });
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
    log(`The package's own libtensorflow cannot be had (${(error as Error).message})`);
    await Deno.remove(deps, { recursive: true }).catch(() => {});
    return null;
  } finally {
    clearTimeout(timer);
    await Deno.remove(archive).catch(() => {});
  }
}
