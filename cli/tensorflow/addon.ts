/**
 * The addon between JavaScript and TensorFlow's native library, compiled from the package's own source.
 *
 * @module
 */
import { join } from "node:path";
import type { NativeLibrary } from "./nativeLibrary.ts";
import type { InstalledPackages } from "./packages.ts";
import { runProgram, SetupError } from "./program.ts";

const SHARED_SET = "static std::set<std::string> ATTR_NAME_SET;";

/**
 * Gives each thread its own set of names: a runner's workers would write to the same one at once.
 *
 * @throws {SetupError} when the source is not as expected
 */
async function separateThreads(source: string): Promise<void> {
  const text = await Deno.readTextFile(source), own = SHARED_SET.replace("static", "static thread_local");
  if (text.includes(own)) return;
  if (!text.includes(SHARED_SET)) throw new SetupError("The package's source is not as expected");
  await Deno.writeTextFile(source, text.replace(SHARED_SET, own));
}

/**
 * Compiles it to where the package looks for it.
 *
 * @throws {SetupError} when there is no compiler, or with what it said
 */
export async function compileAddon(
  { folder, headers }: InstalledPackages,
  { files }: NativeLibrary,
): Promise<void> {
  const binding = join(folder, "binding"), out = join(folder, "lib", "napi-v8");
  const sources = ["tfjs_backend.cc", "tfjs_binding.cc"].map((name) => join(binding, name));
  await separateThreads(sources[0]);
  await Deno.mkdir(out, { recursive: true });
  const paths = [`-I${headers}`, `-I${join(folder, "deps", "include")}`, `-L${join(folder, "deps", "lib")}`];
  await runProgram("g++", [
    ...["-std=c++17", "-O2", "-fPIC", "-shared", "-DNAPI_VERSION=8", ...paths, ...sources],
    ...["-o", join(out, "tfjs_binding.node"), ...files.map((file) => `-l:${file}`)],
    "-Wl,-rpath,$ORIGIN/../../deps/lib",
  ], { needs: "a C++ compiler (Debian: apt-get install g++)" });
}
