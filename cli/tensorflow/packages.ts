/**
 * The npm packages of the native backend.
 *
 * @module
 */
import { join } from "node:path";
import { runProgram } from "./program.ts";

/** Version of `@tensorflow/tfjs-node`: that of the other packages of TensorFlow.js in deno.json. */
const TFJS_NODE = "4.22.0";
/** C headers of Node's native addons. */
const NODE_HEADERS = "1.9.0";

/** Where the packages are. */
export interface InstalledPackages {
  /** Name of the package to load. */
  readonly name: string;
  /** Its folder. */
  readonly folder: string;
  /** Folder of `node_api.h`. */
  readonly headers: string;
}

/**
 * Installs them into `node_modules` of a folder; their own install scripts do not run.
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
  const place = (name: string) => Deno.realPath(join(folder, "node_modules", name));
  return { name, folder: await place(name), headers: join(await place("node-api-headers"), "include") };
}
