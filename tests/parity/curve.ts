/**
 * `deno task parity:curve --python PATH [--data FOLDER] [--epochs N]`: trains on real MNIST here and in PyTorch, from
 * the same first weights, with the same batches and masks, and prints the mean loss of each epoch beside the other's.
 * Exits 1 where they are more than 2 % apart.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
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
    data: { type: "string", default: "../shared/data/mnist" },
    epochs: { type: "string", default: "3" },
    seed: { type: "string", default: "0" },
  },
});
const epochs = Number(values.epochs), seed = Number(values.seed), batchSize = 128;
const threads = navigator.hardwareConcurrency;
const config = PRESETS.mnist, shape = { model: "mae" } as const, patches = numPatches(config);
const weights = initialWeights(parameterSpecs(config, shape), seed);

const images = `${values.data}/train-images-idx3-ubyte.gz`;
const pixels = new Uint8Array(gunzipSync(await Deno.readFile(images))).subarray(16);
const set = { imageSize: 28, channels: 1 as const, count: pixels.length / 784, pixels, labels: null };
const stepsPerEpoch = Math.floor(set.count / batchSize);

/** Mean losses of our epochs. */
async function ours(): Promise<number[]> {
  const losses: number[] = [];
  const { planner } = await selectBackend("simd");
  const events = train({
    config,
    shape,
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

/** What we draw at random, for the other to use. */
async function writeDraws(path: string): Promise<void> {
  const tensors = new Map<string, Tensor>();
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

/** PyTorch's. */
async function theirs(): Promise<number[]> {
  const draws = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    await writeDraws(draws);
    const script = new URL("./curve.py", import.meta.url).pathname;
    const args = [script, draws, JSON.stringify(toWire(config)), images, `${epochs}`, `${batchSize}`];
    const run = new Deno.Command(values.python, { args: [...args, `${threads}`] });
    const { success, stdout, stderr } = await run.output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout).trim().split("\n").map(Number);
  } finally {
    await Deno.remove(draws);
  }
}

const own = await ours(), other = await theirs();
console.log("epoch      ours   PyTorch   apart");
const apart = own.map((loss, epoch) => Math.abs(loss / other[epoch] - 1));
apart.forEach((share, epoch) => {
  const numbers = [own[epoch], other[epoch]].map((loss) => loss.toFixed(5).padStart(10)).join("");
  console.log(`${epoch + 1}     ${numbers}  ${(share * 100).toFixed(2)} %`);
});
Deno.exit(apart.every((share) => share <= 0.02) ? 0 : 1);
