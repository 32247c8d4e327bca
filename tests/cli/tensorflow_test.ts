import { expect } from "expect";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { downloadLibrary } from "../../cli/tensorflow/archive.ts";
import { runProgram } from "../../cli/tensorflow/program.ts";
import { checkPlatform, setUpTensorflow } from "../../cli/tensorflow/setUp.ts";
import { readSettings } from "../../cli/settings/settings.ts";
import { findTensorflow, TENSORFLOW_FOLDER } from "../setup/tensorflow.ts";
import { tarGz } from "../setup/uploads.ts";

const isSetUp = await findTensorflow() !== null;

Deno.test("the folder of the TensorFlow backend is UNMASK_TENSORFLOW, or a folder in UNMASK_DATA", () => {
  const folder = (variables: Record<string, string>) =>
    fileURLToPath(readSettings((name) => variables[name]).compute.tensorflow!);
  expect(folder({})).toBe(resolve(".unmask/tensorflow"));
  expect(folder({ UNMASK_DATA: "/data" })).toBe("/data/tensorflow");
  expect(folder({ UNMASK_DATA: "/data", UNMASK_TENSORFLOW: "/opt/tensorflow" })).toBe("/opt/tensorflow");
  expect(folder({ UNMASK_TENSORFLOW: "" })).toBe(resolve(".unmask/tensorflow"));
});

Deno.test("the set-up reports an unsupported platform, a missing program and the output of a program", async () => {
  expect(() => checkPlatform({ os: "darwin", arch: "aarch64" })).toThrow(
    "The TensorFlow backend needs Linux on x86_64: this machine has darwin on aarch64",
  );
  checkPlatform({ os: "linux", arch: "x86_64" });
  await expect(runProgram("unmask-none", [], { needs: "a compiler" })).rejects.toMatchObject({
    name: "SetupError",
    message: "The set-up needs a compiler",
  });
  await expect(runProgram(Deno.execPath(), ["eval", "console.error('why'); Deno.exit(3)"], { needs: "Deno" }))
    .rejects
    .toThrow(/failed:\nwhy$/);
});

Deno.test("the native library is downloaded from a given server, or null is returned", async () => {
  const folder = await Deno.makeTempDir({ prefix: "unmask-tensorflow-" });
  const archive = await tarGz({ "lib/libtensorflow.so.2": Uint8Array.of(1, 2, 3) });
  const requests: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    requests.push(new URL(request.url).pathname);
    return requests.at(-1)!.startsWith("/mirror/")
      ? new Response(archive)
      : new Response("no", { status: 404 });
  });
  try {
    await Deno.mkdir(join(folder, "scripts"));
    await Deno.writeTextFile(
      join(folder, "scripts", "deps-constants.js"),
      "const LIBTENSORFLOW_VERSION = '2.9.1';",
    );
    const storage = `http://127.0.0.1:${server.addr.port}`, lines: string[] = [];
    const get = (path: string) => downloadLibrary(folder, (line) => lines.push(line), `${storage}/${path}/`);
    expect(await get("missing")).toBeNull();
    expect(lines).toEqual(["libtensorflow cannot be downloaded (status 404)"]);
    expect(await get("mirror")).toMatchObject({ name: "libtensorflow 2.9.1" });
    expect(requests[1]).toBe("/mirror/tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz");
    expect(await Deno.readFile(join(folder, "deps", "lib", "libtensorflow.so.2"))).toEqual(
      Uint8Array.of(1, 2, 3),
    );
    expect((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort()).toEqual([
      "deps",
      "scripts",
    ]);
    await expect(downloadLibrary(join(folder, "deps"), () => {}, `${storage}/mirror/`)).rejects.toThrow();
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "an existing set-up is checked and not replaced",
  ignore: !isSetUp,
  async fn() {
    const before = await Deno.stat(join(TENSORFLOW_FOLDER, "setup.json")), lines: string[] = [];
    await setUpTensorflow(TENSORFLOW_FOLDER, { gpu: false, log: (line) => lines.push(line) });
    expect(lines[0]).toMatch(
      /^Already set up in .*: @tensorflow\/tfjs-node, (tensorflow-cpu|libtensorflow) 2\./,
    );
    expect(lines[1]).toMatch(/^TensorFlow 2\.\S+ computes on (the CPU|a GPU)$/);
    expect((await Deno.stat(join(TENSORFLOW_FOLDER, "setup.json"))).mtime).toEqual(before.mtime);
  },
});
