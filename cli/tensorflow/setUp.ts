/**
 * The native backend's folder: packages, library, addon, one step after the other.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { SETUP_FILE, type TensorflowSetup } from "../../model/backends/tensorflow.ts";
import { compileAddon } from "./addon.ts";
import { getLibrary } from "./library.ts";
import type { LibraryOptions } from "./nativeLibrary.ts";
import { installPackages } from "./packages.ts";
import { runProgram, SetupError } from "./program.ts";

/** Changes with what is installed: a folder that another one has made is made anew. */
const RECIPE = 1;

/** Options of {@linkcode setUpTensorflow}. */
export interface SetUpOptions extends LibraryOptions {
  /** Replaces an existing set-up. @default false */
  readonly force?: boolean;
}

/** @throws {SetupError} where TensorFlow's libraries are not made for */
export function expectPlatform({ os, arch }: { readonly os: string; readonly arch: string }): void {
  if (os === "linux" && arch === "x86_64") return;
  throw new SetupError(`The native backend can be set up on Linux x86_64 alone; this is ${os} ${arch}`);
}

/** Whether this machine has an NVIDIA GPU with its driver. */
export async function hasNvidiaGpu(): Promise<boolean> {
  return await Deno.stat("/dev/nvidiactl").then(() => true, () => false);
}

/** What a folder was set up as; null when it was not. */
export async function readSetup(folder: string): Promise<TensorflowSetup | null> {
  try {
    return JSON.parse(await Deno.readTextFile(join(folder, SETUP_FILE)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** In a process of its own, as a run that was just begun would start it. @throws {SetupError} when it does not work */
async function selfCheck(folder: string): Promise<string> {
  const script = fileURLToPath(new URL("./selfCheck.ts", import.meta.url));
  return (await runProgram(Deno.execPath(), ["run", "-A", script, folder], { needs: "Deno" })).trim();
}

/**
 * Sets it up, unless it is there already, and checks it. Everything is made beside the folder and takes its place when
 * it works: a set-up that was broken off leaves nothing that could be taken for a whole one.
 *
 * @throws {SetupError} when that cannot be done here
 */
export async function setUpTensorflow(folder: string, options: SetUpOptions): Promise<void> {
  const { gpu, force, log } = options;
  expectPlatform(Deno.build);
  const known = force ? null : await readSetup(folder);
  if (known && known.recipe === RECIPE && known.package.endsWith("-gpu") === gpu) {
    log(`It is set up in ${folder}: ${known.package}, ${known.library}`);
    log(await selfCheck(folder));
    return;
  }
  const making = `${folder}.part`;
  await Deno.mkdir(dirname(folder), { recursive: true });
  await removeFolder(making);
  await Deno.mkdir(making);
  log(`Installing npm packages into ${folder}`);
  const packages = await installPackages(making, gpu);
  const library = await getLibrary(packages.folder, options);
  log("Compiling the addon");
  await compileAddon(packages, library);
  const setup: TensorflowSetup = { package: packages.name, library: library.name, recipe: RECIPE };
  await Deno.writeTextFile(join(making, SETUP_FILE), JSON.stringify(setup, null, 2));
  const works = await selfCheck(making);
  await removeFolder(folder);
  await Deno.rename(making, folder);
  log(works);
}

async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
