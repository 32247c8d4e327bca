import { expect } from "expect";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { downloadLibrary } from "../../cli/tensorflow/archive.ts";
import { runProgram } from "../../cli/tensorflow/program.ts";
import { expectPlatform, setUpTensorflow } from "../../cli/tensorflow/setUp.ts";
import { readSettings } from "../../cli/settings.ts";
import { findTensorflow, TENSORFLOW_FOLDER } from "../setup/tensorflow.ts";
import { tarGz } from "../setup/uploads.ts";

const here = await findTensorflow() !== null;

Deno.test("the native backend's folder follows UNMASK_TENSORFLOW, else UNMASK_DATA", () => {
  const folder = (variables: Record<string, string>) =>
    fileURLToPath(readSettings((name) => variables[name]).compute.tensorflow!);
  expect(folder({})).toBe(resolve(".unmask/tensorflow"));
  expect(folder({ UNMASK_DATA: "/data" })).toBe("/data/tensorflow");
  expect(folder({ UNMASK_DATA: "/data", UNMASK_TENSORFLOW: "/opt/tensorflow" })).toBe("/opt/tensorflow");
  expect(folder({ UNMASK_TENSORFLOW: "" })).toBe(resolve(".unmask/tensorflow"));
});

Deno.test("the set-up says where it cannot work, and what it needs", async () => {
  expect(() => expectPlatform({ os: "darwin", arch: "aarch64" })).toThrow(
    "The native backend can be set up on Linux x86_64 alone; this is darwin aarch64",
  );
  expectPlatform({ os: "linux", arch: "x86_64" });
  await expect(runProgram("unmask-none", [], { needs: "a compiler" })).rejects.toMatchObject({
    name: "SetupError",
    message: "It needs a compiler",
  });
  await expect(runProgram(Deno.execPath(), ["eval", "console.error('why'); Deno.exit(3)"], { needs: "Deno" }))
    .rejects
    .toThrow(/failed:\nwhy$/);
});

Deno.test("the package's own library is taken from where TFJS_NODE_CDN_STORAGE says, or else not", async () => {
  const folder = await Deno.makeTempDir({ prefix: "unmask-tensorflow-" });
  const archive = await tarGz({ "lib/libtensorflow.so.2": Uint8Array.of(1, 2, 3) });
  const asked: string[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    asked.push(new URL(request.url).pathname);
    return asked.at(-1)!.startsWith("/there/") ? new Response(archive) : new Response("no", { status: 404 });
  });
  try {
    await Deno.mkdir(join(folder, "scripts"));
    await Deno.writeTextFile(
      join(folder, "scripts", "deps-constants.js"),
      "const LIBTENSORFLOW_VERSION = '2.9.1';",
    );
    const storage = `http://127.0.0.1:${server.addr.port}`, said: string[] = [];
    const get = (path: string) => downloadLibrary(folder, (line) => said.push(line), `${storage}/${path}/`);
    expect(await get("gone")).toBeNull();
    expect(said).toEqual(["The package's own libtensorflow cannot be had (status 404)"]);
    expect(await get("there")).toMatchObject({ name: "libtensorflow 2.9.1" });
    expect(asked[1]).toBe("/there/tensorflow/libtensorflow/libtensorflow-cpu-linux-x86_64-2.9.1.tar.gz");
    expect(await Deno.readFile(join(folder, "deps", "lib", "libtensorflow.so.2"))).toEqual(
      Uint8Array.of(1, 2, 3),
    );
    expect((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort()).toEqual([
      "deps",
      "scripts",
    ]);
    await expect(downloadLibrary(join(folder, "deps"), () => {}, `${storage}/there/`)).rejects.toThrow();
  } finally {
    await server.shutdown();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test({
  name: "what is set up is checked, not made again",
  ignore: !here,
  async fn() {
    const before = await Deno.stat(join(TENSORFLOW_FOLDER, "setup.json")), said: string[] = [];
    await setUpTensorflow(TENSORFLOW_FOLDER, { gpu: false, log: (line) => said.push(line) });
    expect(said[0]).toMatch(
      /^It is set up in .*: @tensorflow\/tfjs-node, (tensorflow-cpu|libtensorflow) 2\./,
    );
    expect(said[1]).toMatch(/^TensorFlow 2\.\S+ computes on (the CPU|a GPU)$/);
    expect((await Deno.stat(join(TENSORFLOW_FOLDER, "setup.json"))).mtime).toEqual(before.mtime);
  },
});
