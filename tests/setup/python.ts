/**
 * A Python with safetensors and numpy for tests, in a cache folder outside the repository.
 *
 * @module
 */
import { join } from "node:path";
import { unavailable } from "./unavailable.ts";

const PACKAGES = ["safetensors==0.8.0", "numpy==2.4.6"];
const VENV = join(Deno.env.get("HOME") ?? Deno.cwd(), ".cache", "unmask-test", "venv");

/**
 * Path of a Python that imports safetensors and numpy; the environment is made first when python3 is there. Null
 * (with the reason printed) when it cannot be had; in CI an error.
 */
export async function findPython(): Promise<string | null> {
  const python = join(VENV, "bin", "python");
  if ((await run(python, ["-c", "import safetensors.numpy"])).success) return python;
  const made = await run("python3", ["-m", "venv", VENV]);
  if (!made.success) return unavailable("Python with safetensors", made.message);
  const installed = await run(python, ["-m", "pip", "install", "--quiet", ...PACKAGES]);
  return installed.success ? python : unavailable("Python with safetensors", installed.message);
}

/** Runs a script and returns what it printed. @throws {Error} with what it said when it fails */
export async function runPython(python: string, script: string, ...args: string[]): Promise<string> {
  const { success, message } = await run(python, ["-c", script, ...args]);
  if (!success) throw new Error(message);
  return message;
}

async function run(program: string, args: string[]): Promise<{ success: boolean; message: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
    return { success, message: new TextDecoder().decode(success ? stdout : stderr) };
  } catch (error) {
    return { success: false, message: (error as Error).message };
  }
}
