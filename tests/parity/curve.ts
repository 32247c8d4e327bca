/**
 * `deno task parity:curve [--python PATH] [--mnist FOLDER] [--size N] [--epochs N] [--seed N]`: trains the same model
 * here and in PyTorch, with the same initial weights, batches and masks, and prints the mean loss of each epoch. The
 * images are those of MNIST, or N images of the data set `digits`. It exits with 1 if a mean differs by more than 2 %.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { PythonError, runScript } from "../../cli/bench/peer/python.ts";
import { openDigits } from "../../data/datasets/builtIn/digits.ts";
import { epochBatches } from "../../data/datasets/loader.ts";
import { type Tensor, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import { toWire } from "../../data/wire.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { numPatches } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { permutation, uniform } from "../../model/random.ts";
import { train } from "../../model/training/trainer.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";

const { values } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    mnist: { type: "string" },
    size: { type: "string", default: "60000" },
    epochs: { type: "string", default: "3" },
    seed: { type: "string", default: "0" },
  },
});
const epochs = Number(values.epochs), seed = Number(values.seed), batchSize = 128;
const threads = navigator.hardwareConcurrency;
const config = PRESETS.mnist, architecture = { model: "mae" } as const, patches = numPatches(config);
const weights = initialWeights(parameterSpecs(config, architecture), seed);
const PACKAGES = ["torch", "numpy", "einops", "safetensors"];
/** Bytes of the header of an IDX file of images. */
const IDX_HEADER_BYTES = 16;

async function readMnist(folder: string) {
  const file = await Deno.readFile(`${folder}/train-images-idx3-ubyte.gz`);
  const pixels = new Uint8Array(gunzipSync(file)).subarray(IDX_HEADER_BYTES);
  return { imageSize: 28, channels: 1 as const, count: pixels.length / 28 ** 2, pixels, labels: null };
}

const set = values.mnist
  ? await readMnist(values.mnist)
  : await openDigits(Number(values.size)).load("train", { imageSize: 28, channels: 1 });
const stepsPerEpoch = Math.floor(set.count / batchSize);

/** Trains with the backend `simd`. @returns the mean loss of each epoch */
async function trainHere(): Promise<number[]> {
  const losses: number[] = [];
  const { planner } = await selectBackend("simd");
  const events = train({
    config,
    architecture,
    seed,
    initial: () => weights,
    threads,
    planner,
    optimizer: { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 },
    schedule: { kind: "constant", lr: 1.5e-4, minLr: 0, warmupSteps: 0, totalSteps: epochs * stepsPerEpoch },
    stepsPerEpoch,
    batchSize,
    checkpointSteps: Infinity,
    batches: (epoch, startBatch) =>
      epochBatches(set, { batchSize, dropLast: true, seed, epoch, shuffle: true, startBatch }),
  });
  for await (const event of events) if (event.type === "epoch") losses.push(event.loss);
  return losses;
}

/** Writes the images and all random numbers: initial weights, orders of the images, and noise of the masks. */
async function writeInputs(path: string): Promise<void> {
  const tensors = new Map<string, Tensor>();
  tensors.set("images", { dtype: "U8", shape: [set.count, 1, 28, 28], data: new Uint8Array(set.pixels) });
  for (const [name, { shape, data }] of weights) tensors.set(name, { dtype: "F32", shape: [...shape], data });
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = Int32Array.from(permutation({ seed, purpose: "shuffle", epoch }, set.count));
    tensors.set(`order${epoch}`, { dtype: "I32", shape: [set.count], data: order });
    const size = batchSize * patches, noise = new Float32Array(stepsPerEpoch * size);
    for (let step = 0; step < stepsPerEpoch; step++) {
      const key = { seed, purpose: "mask", epoch, step: epoch * stepsPerEpoch + step };
      noise.set(uniform(key, size), step * size);
    }
    tensors.set(`noise${epoch}`, { dtype: "F32", shape: [stepsPerEpoch, batchSize, patches], data: noise });
  }
  await Deno.writeFile(path, writeSafetensors(tensors, {}));
}

/** Trains in PyTorch. @returns the mean loss of each epoch */
async function trainInPytorch(): Promise<number[]> {
  const inputs = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    await writeInputs(inputs);
    const args = [inputs, JSON.stringify(toWire(config)), `${epochs}`, `${batchSize}`, `${threads}`];
    const output = await runScript(values.python, new URL("./curve.py", import.meta.url), args, PACKAGES);
    return output.trim().split("\n").map(Number);
  } finally {
    await Deno.remove(inputs);
  }
}

try {
  // PyTorch first: a missing package is reported before the long training run.
  const theirs = await trainInPytorch(), ours = await trainHere();
  console.log("epoch      ours   PyTorch  difference");
  const differences = ours.map((loss, epoch) => Math.abs(loss / theirs[epoch] - 1));
  differences.forEach((difference, epoch) => {
    const numbers = [ours[epoch], theirs[epoch]].map((loss) => loss.toFixed(5).padStart(10)).join("");
    console.log(`${epoch + 1}     ${numbers}  ${(difference * 100).toFixed(2)} %`);
  });
  Deno.exit(differences.every((difference) => difference <= 0.02) ? 0 : 1);
} catch (error) {
  console.error(error instanceof PythonError ? error.message : error);
  Deno.exit(2);
}
