/**
 * Sets up the folder of the TensorFlow backend: npm packages, native library and addon.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SETUP_FILE, type TensorflowSetup } from "../../model/backends/tensorflow.ts";
import { compileAddon } from "./addon.ts";
import { installLibrary } from "./library.ts";
import type { LibraryOptions } from "./nativeLibrary.ts";
import { installPackages } from "./packages.ts";
import { runProgram, SetupError } from "./program.ts";

/** Version of the set-up. A folder of another version is replaced. */
const SETUP_VERSION = 1;

/** Options of {@linkcode setUpTensorflow}. */
export interface SetUpOptions extends LibraryOptions {
  /** Replaces an existing set-up. @default false */
  readonly force?: boolean;
}

/** @throws {SetupError} on a platform for which TensorFlow has no library */
export function checkPlatform({ os, arch }: { readonly os: string; readonly arch: string }): void {
  if (os === "linux" && arch === "x86_64") return;
  throw new SetupError(`The TensorFlow backend needs Linux on x86_64: this machine has ${os} on ${arch}`);
}

/** Returns whether this machine has an NVIDIA GPU with a driver. */
export async function hasNvidiaGpu(): Promise<boolean> {
  return await Deno.stat("/dev/nvidiactl").then(() => true, () => false);
}

/** Reads the description of a set-up folder. Returns null when there is none. */
export async function readSetup(folder: string): Promise<TensorflowSetup | null> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, SETUP_FILE)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Starts the backend in a separate process. @returns the output @throws {SetupError} when the backend fails */
async function selfCheck(folder: string): Promise<string> {
  const script = fileURLToPath(new URL("./selfCheck.ts", import.meta.url));
  return (await runProgram(Deno.execPath(), ["run", "-A", script, folder], { needs: "Deno" })).trim();
}

/**
 * Sets up the folder if necessary, and starts the backend as a check. The files are installed beside the folder and
 * moved there after the check, so that an interrupted set-up is never mistaken for a complete one.
 *
 * @throws {SetupError} when the backend cannot be set up on this machine
 */
export async function setUpTensorflow(folder: string, options: SetUpOptions): Promise<void> {
  const { gpu, force, log } = options;
  checkPlatform(Deno.build);
  const existing = force ? null : await readSetup(folder);
  if (existing && existing.recipe === SETUP_VERSION && existing.package.endsWith("-gpu") === gpu) {
    log(`Already set up in ${folder}: ${existing.package}, ${existing.library}`);
    log(await selfCheck(folder));
    return;
  }
  const partial = `${folder}.part`;
  await Deno.mkdir(dirname(folder), { recursive: true });
  await removeFolder(partial);
  await Deno.mkdir(partial);
  log(`Installing npm packages into ${folder}`);
  const packages = await installPackages(partial, gpu);
  const library = await installLibrary(packages.folder, options);
  log("Compiling the addon");
  await compileAddon(packages, library);
  const setup: TensorflowSetup = { package: packages.name, library: library.name, recipe: SETUP_VERSION };
  await Deno.writeTextFile(join(partial, SETUP_FILE), JSON.stringify(setup, null, 2));
  const report = await selfCheck(partial);
  await removeFolder(folder);
  await Deno.rename(partial, folder);
  log(report);
}

async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
