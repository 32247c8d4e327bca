/**
 * Python environments for tests, cached outside the repository.
 *
 * @module
 */
import { join } from "node:path";
import { CACHE } from "./cachedProgram.ts";
import { installPackage } from "./package.ts";
import { unavailable } from "./unavailable.ts";

/** A Python environment. */
export interface PythonSetup {
  readonly folder: string;
  /** Package requirements for pip, `NAME==VERSION`. */
  readonly packages: readonly string[];
}

const SAFETENSORS: PythonSetup = { folder: "venv", packages: ["safetensors==0.8.0", "numpy==2.4.6"] };

/** Environment that validates an OpenAPI document and generates a client from it. */
export const OPENAPI_TOOLS: PythonSetup = {
  folder: "openapi-venv",
  packages: [
    "openapi-spec-validator==0.9.0",
    "openapi-python-client==0.29.1",
    "schemathesis==4.32.5",
  ],
};

const INSTALLED = "import importlib.metadata as m, sys\n" +
  'for p in sys.argv[1:]: assert m.version(p.split("==")[0]) == p.split("==")[1], p';

/**
 * Finds a Python interpreter with the packages, by default safetensors and numpy. The environment is created if
 * necessary. Returns null when it is unavailable; see {@linkcode unavailable}.
 */
export async function findPython({ folder, packages }: PythonSetup = SAFETENSORS): Promise<string | null> {
  const environment = join(CACHE, folder), python = join(environment, "bin", "python");
  if ((await run(python, ["-c", INSTALLED, ...packages])).success) return python;
  const what = `Python with ${packages.map((name) => name.split("==")[0]).join(", ")}`;
  const created = await run("python3", ["-m", "venv", environment]);
  if (!created.success) return unavailable(what, created.message);
  const installed = await run(python, ["-m", "pip", "install", "--quiet", ...packages]);
  return installed.success ? python : unavailable(what, installed.message);
}

const TORCH_PACKAGES = ["torch", "torchvision", "transformers", "timm", "safetensors"];
/** Versions that run with the PyTorch 1.13 of Debian 12, whose CPU build has 150 MB and not the several GB of PyPI's. */
const BESIDE_DEBIAN = ["transformers==4.44.2", "timm==1.0.31"];

/**
 * Finds a Python interpreter with PyTorch, transformers and timm: that of a cached environment, or `python3`. In CI the
 * environment is created if necessary (45 s) from Debian's PyTorch. Returns null when there is none; see
 * {@linkcode unavailable}.
 */
export async function findTorch(): Promise<string | null> {
  const environment = join(CACHE, "torch-venv"), cached = join(environment, "bin", "python");
  for (const python of [cached, "python3"]) {
    if ((await run(python, ["-c", `import ${TORCH_PACKAGES.join(", ")}`])).success) return python;
  }
  const what = "Python with PyTorch, transformers and timm";
  const hint = `python3 -m pip install ${TORCH_PACKAGES.join(" ")}`;
  const fault = await installPackage(["python3-torch", "python3-torchvision", "python3-venv"], hint);
  if (fault !== null) return unavailable(what, fault);
  for (
    const [program, ...args] of [
      ["/usr/bin/python3", "-m", "venv", "--system-site-packages", environment],
      [cached, "-m", "pip", "install", "--quiet", ...BESIDE_DEBIAN],
    ]
  ) {
    const { success, message } = await run(program, args);
    if (!success) return unavailable(what, message);
  }
  return cached;
}

/** Runs a script. @returns its standard output @throws {Error} with the standard error of a script that fails */
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
