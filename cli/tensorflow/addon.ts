/**
 * Compiles the addon that connects JavaScript with TensorFlow's native library.
 *
 * @module
 */
import { join } from "node:path";
import type { NativeLibrary } from "./nativeLibrary.ts";
import type { InstalledPackages } from "./packages.ts";
import { runProgram, SetupError } from "./program.ts";

const SHARED_SET = "static std::set<std::string> ATTR_NAME_SET;";

/**
 * Makes a static set of names in the source thread-local. Otherwise the workers of a runner write to it concurrently.
 *
 * @throws {SetupError} when the source has another form
 */
async function makeThreadLocal(source: string): Promise<void> {
  const text = await Deno.readTextFile(source);
  const threadLocal = SHARED_SET.replace("static", "static thread_local");
  if (text.includes(threadLocal)) return;
  if (!text.includes(SHARED_SET)) {
    throw new SetupError(`The source of the addon is unsupported: it has no '${SHARED_SET}'`);
  }
  await Deno.writeTextFile(source, text.replace(SHARED_SET, threadLocal));
}

/**
 * Compiles the addon of an npm package into the folder from which the package loads it.
 *
 * @throws {SetupError} when the compiler is missing, or with the compiler's output
 */
export async function compileAddon(
  { folder, headers }: InstalledPackages,
  { files }: NativeLibrary,
): Promise<void> {
  const binding = join(folder, "binding"), out = join(folder, "lib", "napi-v8");
  const sources = ["tfjs_backend.cc", "tfjs_binding.cc"].map((name) => join(binding, name));
  await makeThreadLocal(sources[0]);
  await Deno.mkdir(out, { recursive: true });
  const paths = [`-I${headers}`, `-I${join(folder, "deps", "include")}`, `-L${join(folder, "deps", "lib")}`];
  await runProgram("g++", [
    ...["-std=c++17", "-O2", "-fPIC", "-shared", "-DNAPI_VERSION=8", ...paths, ...sources],
    ...["-o", join(out, "tfjs_binding.node"), ...files.map((file) => `-l:${file}`)],
    "-Wl,-rpath,$ORIGIN/../../deps/lib",
  ], { needs: "a C++ compiler (Debian: apt-get install g++)" });
}
