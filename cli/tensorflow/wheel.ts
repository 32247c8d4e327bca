/**
 * Extracts the native library from TensorFlow's Python package (a wheel), which pip downloads.
 *
 * @module
 */
import { join } from "node:path";
import type { NativeLibrary } from "./nativeLibrary.ts";
import { runProgram } from "./program.ts";

const VERSION = "2.21.0";
const NEEDS = "python3 with pip (Debian: apt-get install python3-pip)";

/**
 * Extracts the libraries and the C headers from a wheel and prints the packages that it requires for CUDA. They are a
 * fifth of the size of the wheel.
 */
const UNPACK = `
import os, re, shutil, sys, zipfile
folder, deps = sys.argv[1:]
[wheel] = os.listdir(folder)
with zipfile.ZipFile(os.path.join(folder, wheel)) as archive:
    for name in archive.namelist():
        library = re.fullmatch(r"tensorflow/(lib/)?(libtensorflow_(cc|framework)\\.so\\.2)", name)
        header = re.fullmatch(r"tensorflow/(include/(tensorflow|tsl|xla)/(.*/)?(c/|ctstring).*\\.h)", name)
        notice = re.fullmatch(r"tensorflow/(THIRD_PARTY_NOTICES\\.txt)", name)
        target = library and "lib/" + library[2] or header and header[1] or notice and notice[1]
        if target:
            path = os.path.join(deps, target)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(name) as source, open(path, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
        if name.endswith(".dist-info/METADATA"):
            for line in archive.read(name).decode().splitlines():
                required = re.fullmatch(r'Requires-Dist: (nvidia-.*?) *; *extra == "and-cuda"', line)
                if required: print(required[1])
`;

/**
 * Installs the library into `deps/lib` of the npm package, its headers into `deps/include`, and for a GPU the NVIDIA
 * libraries into `deps/nvidia`, from which it loads them.
 *
 * @param folder folder of the npm package
 * @throws {SetupError} when Python is missing, or the package index cannot be reached
 */
export async function unpackWheel(
  folder: string,
  gpu: boolean,
  log: (line: string) => void,
): Promise<NativeLibrary> {
  const name = `${gpu ? "tensorflow" : "tensorflow-cpu"} ${VERSION}`;
  const deps = join(folder, "deps"), wheels = join(folder, "wheels");
  const pip = (...args: string[]) =>
    runProgram("python3", ["-m", "pip", "--disable-pip-version-check", ...args], { needs: NEEDS });
  await pip("--version");
  log(`Downloading the Python package ${name} (${gpu ? 550 : 260} MiB)`);
  const options = ["--quiet", "--no-deps", "--only-binary=:all:"];
  // The library does not depend on the Python version of this machine.
  const target = ["--python-version=3.12", "--platform=manylinux_2_27_x86_64"];
  await pip("download", ...options, ...target, `--dest=${wheels}`, name.replace(" ", "=="));
  log("Extracting its library");
  const cuda = (await runProgram("python3", ["-c", UNPACK, wheels, deps], { needs: NEEDS })).trim().split(
    "\n",
  );
  await Deno.remove(wheels, { recursive: true });
  if (gpu) {
    log(`Installing NVIDIA's libraries (some GB): ${cuda.join(", ")}`);
    await pip("install", ...options, "--no-compile", `--target=${deps}`, ...cuda);
  }
  return { name, files: ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"] };
}
