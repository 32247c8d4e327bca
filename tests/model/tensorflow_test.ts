import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { hasNvidiaGpu } from "../../cli/tensorflow/setUp.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { tensorflowLibrary } from "../../model/backends/tensorflow.ts";
import { findTensorflow } from "../setup/tensorflow.ts";

const settings = await findTensorflow();
const here = settings !== null;
const gpu = await hasNvidiaGpu();

/** A step's arithmetic for which `auto` tries GPUs first. */
const LARGE = 1e12;

async function inFolder(use: (folder: string, url: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "unmask-tensorflow-" });
  try {
    await use(folder, pathToFileURL(folder).href);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("without its set-up the native backend says in a line how to get it", async () => {
  const wanted = "No backend works. tensorflow: it is not set up: run deno task backend:tensorflow";
  await expect(selectBackend("tensorflow")).rejects.toMatchObject({ name: "BackendError", message: wanted });
  await expect(selectBackend("tensorflow", { tensorflow: "file:///nowhere" })).rejects.toThrow(wanted);
  await inFolder(async (folder, tensorflow) => {
    await Deno.mkdir(join(folder, "node_modules"));
    await expect(selectBackend("tensorflow", { tensorflow })).rejects.toThrow(wanted);
  });
});

Deno.test("a native backend that does not load says why in one line", async () => {
  await inFolder(async (folder, tensorflow) => {
    await Deno.writeTextFile(
      join(folder, "setup.json"),
      JSON.stringify({ package: "@unmask/none", library: "" }),
    );
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
  name: "auto passes a native backend without a GPU over, and says so",
  ignore: !here || gpu,
  async fn() {
    const { name, notes } = await selectBackend("auto", { flops: LARGE, ...settings });
    expect(name).not.toBe("tensorflow");
    expect(notes[0]).toBe("tensorflow: TensorFlow sees no GPU");
    expect(tf.getBackend()).not.toBe("tensorflow");
  },
});

Deno.test({
  name: "the native backend computes in TensorFlow, gives way to others and comes back",
  ignore: !here,
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
