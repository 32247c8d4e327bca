/**
 * Installs the npm packages of the TensorFlow backend.
 *
 * @module
 */
import { join } from "node:path";
import { runProgram } from "./program.ts";

/** Version of `@tensorflow/tfjs-node`, equal to that of the TensorFlow.js packages in deno.json. */
const TFJS_NODE = "4.22.0";
/** Version of the C headers of Node's native addons. */
const NODE_HEADERS = "1.9.0";

/** The installed packages. */
export interface InstalledPackages {
  /** Name of the npm package. */
  readonly name: string;
  /** Its folder. */
  readonly folder: string;
  /** Folder of `node_api.h`. */
  readonly headers: string;
}

/**
 * Installs the packages into `node_modules` of a folder, without running their install scripts.
 *
 * @throws {SetupError} when the registry cannot be reached
 */
export async function installPackages(folder: string, gpu: boolean): Promise<InstalledPackages> {
  const name = gpu ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node";
  const versions = { [name]: TFJS_NODE, "node-api-headers": NODE_HEADERS };
  const imports = Object.fromEntries(
    Object.entries(versions).map(([name, version]) => [name, `npm:${name}@${version}`]),
  );
  const config = { nodeModulesDir: "auto", lock: false, imports };
  await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify(config, null, 2));
  await runProgram(Deno.execPath(), ["install", "--quiet"], { cwd: folder, needs: "Deno" });
  const folderOf = (name: string) => Deno.realPath(join(folder, "node_modules", name));
  return { name, folder: await folderOf(name), headers: join(await folderOf("node-api-headers"), "include") };
}
