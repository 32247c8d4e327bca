import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { hasNvidiaGpu } from "../../cli/tensorflow/setUp.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { SETUP_FILE, tensorflowLibrary } from "../../model/backends/tensorflow.ts";
import { findTensorflow, TENSORFLOW_FOLDER } from "../setup/tensorflow.ts";

const settings = await findTensorflow();
// TensorFlow's library must load before Mesa's Vulkan driver: both contain LLVM, and the process crashes otherwise.
if (settings) await selectBackend("tensorflow", settings);
const isInstalled = settings !== null;
const gpu = await hasNvidiaGpu();

const writeSetup = (folder: string, name: string) =>
  Deno.writeTextFile(join(folder, SETUP_FILE), JSON.stringify({ package: name, library: "", recipe: 0 }));

/** Floating-point operations of a step for which `auto` tries GPUs first. */
const LARGE = 1e12;

async function inFolder(use: (folder: string, url: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "unmask-tensorflow-" });
  try {
    await use(folder, pathToFileURL(folder).href);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("without the set-up, the error of the native backend names the command for it", async () => {
  const message = "No backend works. tensorflow: it is not set up: run deno task backend:tensorflow";
  await expect(selectBackend("tensorflow")).rejects.toMatchObject({ name: "BackendError", message });
  await expect(selectBackend("tensorflow", { tensorflow: "file:///nowhere" })).rejects.toThrow(message);
  await inFolder(async (folder, tensorflow) => {
    await Deno.mkdir(join(folder, "node_modules"));
    await expect(selectBackend("tensorflow", { tensorflow })).rejects.toThrow(message);
  });
});

Deno.test("the error of a native backend that does not load has one line", async () => {
  await inFolder(async (folder, tensorflow) => {
    await writeSetup(folder, "@unmask/none");
    await expect(selectBackend("tensorflow", { tensorflow })).rejects.toThrow(
      /^No backend works\. tensorflow: its library does not load: Cannot find module '@unmask\/none'[^\n]*$/,
    );
  });
});

Deno.test("auto does not try the native backend before ours on a small model", async () => {
  const { name, notes } = await selectBackend("auto", { flops: 1e9, ...settings });
  expect({ name, notes }).toEqual({ name: "simd", notes: [] });
});

Deno.test({
  name: "auto skips a native backend without CUDA or a GPU and reports the reason",
  ignore: !isInstalled || gpu,
  async fn() {
    const chosen = async (tensorflow: string) => {
      const { name, notes } = await selectBackend("auto", { flops: LARGE, tensorflow });
      expect(name).not.toBe("tensorflow");
      expect(tf.getBackend()).not.toBe("tensorflow");
      return notes[0];
    };
    expect(await chosen(settings!.tensorflow)).toBe("tensorflow: it is set up without CUDA");
    await inFolder(async (folder, url) => {
      // The package without CUDA, installed under the name of the package with CUDA.
      const installed = await Deno.realPath(
        join(TENSORFLOW_FOLDER, "node_modules", "@tensorflow", "tfjs-node"),
      );
      await Deno.mkdir(join(folder, "node_modules"));
      await Deno.symlink(installed, join(folder, "node_modules", "tfjs-node-gpu"));
      await writeSetup(folder, "tfjs-node-gpu");
      expect(await chosen(url)).toBe("tensorflow: TensorFlow finds no GPU");
    });
  },
});

Deno.test({
  name: "the native backend can be selected again after another backend",
  ignore: !isInstalled,
  async fn() {
    for (const backend of ["tensorflow", "wasm", "tensorflow"]) {
      expect(await selectBackend(backend, settings!)).toEqual({ name: backend, notes: [] });
      expect(tf.getBackend()).toBe(backend);
      const squares = tf.tidy(() => tf.square(tf.tensor1d([1, 2, 3])));
      expect([...await squares.data()]).toEqual([1, 4, 9]);
      squares.dispose();
    }
    expect(tensorflowLibrary()).toMatchObject({
      version: expect.stringMatching(/^2\.\d+\.\d+$/),
      gpu: false,
    });
  },
});
