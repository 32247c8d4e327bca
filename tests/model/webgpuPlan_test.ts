import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { plannedCost } from "../../cli/bench/gpu.ts";
import { countGpu } from "../../cli/bench/gpuCounter.ts";
import { BackendError } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import type { WebgpuBackend } from "../../model/backends/webgpu/backend.ts";
import { Launcher } from "../../model/backends/webgpu/launcher.ts";
import type { Program } from "../../model/backends/webgpu/program.ts";
import { imageDim } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { sizeOf } from "../../model/shape.ts";
import { momentKey } from "../../model/training/storedState.ts";
import { openStepper, type Stepper, type StepperOptions } from "../../model/training/stepper.ts";
import { type HostTensor, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { withBufferLimit } from "../setup/bufferLimit.ts";
import { findVulkan } from "../setup/vulkan.ts";
import { CASES, options, run } from "./planCases.ts";

const vulkan = await findVulkan();
const MAE = { model: "mae" } as const;
const config = { ...PRESETS.mnist, depth: 1, decoderDepth: 1 };
const IMAGES = 3;

async function openMae(more: Partial<StepperOptions> = {}): Promise<Stepper> {
  const { planner } = await selectBackend("webgpu"), specs = parameterSpecs(config, MAE);
  const options = {
    task: { config, architecture: MAE, seed: 0 },
    trainable: specs,
    frozen: new Map(),
    weights: initialWeights(specs, 0),
    optimizer: { weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 },
    batchSize: IMAGES,
    threads: 1,
  } as const;
  return await openStepper({ ...options, ...more }, planner);
}

const pixels = uniform({ seed: 1, purpose: "images" }, IMAGES * imageDim(config));

/** Starts a step without waiting for its loss. */
async function start(stepper: Stepper, step: number, values = pixels): Promise<Promise<number>[]> {
  const run = await stepper.prepare({ pixels: values, labels: null }, 0, step);
  // In an array, so that the caller does not await the loss.
  return [run(1e-3)];
}

/** Runs steps one after the other. Returns the losses and the parameters. */
async function runAlone(count: number) {
  const stepper = await openMae(), losses: number[] = [];
  for (let step = 0; step < count; step++) losses.push(await (await start(stepper, step))[0]);
  const weights = await stepper.weights();
  await stepper.dispose();
  return { losses, weights };
}

/** Destroys the device in use, so that the next selection opens another one. */
async function loseDevice(): Promise<void> {
  await selectBackend("webgpu");
  const { device } = tf.backend() as WebgpuBackend;
  device.destroy();
  await device.lost;
}

/** Runs a test on a device that compiles changed programs. */
async function withCode(change: (program: Program) => string, test: () => Promise<void>): Promise<void> {
  const { prototype } = Launcher, original = prototype.pipeline;
  await loseDevice();
  prototype.pipeline = function (program) {
    return original.call(this, { ...program, code: change(program) });
  };
  try {
    await test();
  } finally {
    prototype.pipeline = original;
    await loseDevice();
  }
}

if (vulkan) {
  for (const { name, architecture, more } of CASES) {
    Deno.test(`planned steps agree with TensorFlow.js for batches of any size: ${name} (webgpu)`, async () => {
      const eager = await run("cpu", options(architecture, 1, more));
      const planned = await run("webgpu", options(architecture, 1, more));
      planned.losses.forEach((loss, i) =>
        expect(Math.abs(loss - eager.losses[i])).toBeLessThan(1e-5 * eager.losses[i])
      );
      for (const [key, { data }] of planned.state.weights) {
        const expected = eager.state.weights.get(key)!.data;
        data.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-6));
      }
      expect(planned.state.optimizer.step).toBe(eager.state.optimizer.step);
    });
  }

  Deno.test("a linear probe on features agrees with TensorFlow.js (webgpu)", async () => {
    const architecture = { model: "classifier", classes: 3 } as const;
    const probe = options(architecture, 1, {
      freezeEncoder: true,
      input: "features",
      *batches(_epoch, from) {
        for (const [step, size] of [21, 21, 2, 1].entries()) {
          if (step < from) continue;
          const features = uniform({ seed: 1, purpose: "features", step }, size * 15);
          yield { features, labels: Int32Array.from({ length: size }, (_, i) => (i + step) % 3) };
        }
      },
    });
    const eager = await run("cpu", probe), planned = await run("webgpu", probe);
    planned.losses.forEach((loss, i) => expect(loss).toBeCloseTo(eager.losses[i], 5));
    const [found, expected] = [planned, eager].map(({ state }) => state.weights.get("head.weight")!.data);
    found.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-6));
  });

  Deno.test("steps in flight have the bits of steps that run alone, and their losses arrive in order (webgpu)", async () => {
    const alone = await runAlone(40), stepper = await openMae(), arrived: number[] = [];
    expect(stepper.maxInFlight).toBeGreaterThan(8);
    const losses: Promise<number>[] = [];
    const counter = countGpu(true);
    for (let step = 0; step < 40; step++) {
      if (step >= stepper.maxInFlight!) await losses[step - stepper.maxInFlight!];
      const [loss] = await start(stepper, step);
      losses.push(loss.finally(() => arrived.push(step)));
    }
    expect(await Promise.all(losses)).toEqual(alone.losses);
    const { readBacks } = counter.stop();
    expect(arrived).toEqual(losses.map((_, i) => i));
    expect(readBacks).toBeLessThan(20);
    expect(await stepper.weights()).toEqual(alone.weights);
    expect((await stepper.state()).step).toBe(40);
    await stepper.dispose();
  });

  Deno.test("after a loss that is not finite no later step changes the parameters (webgpu)", async () => {
    const expected = await runAlone(3), stepper = await openMae(), losses: Promise<number>[] = [];
    for (let step = 0; step < 6; step++) {
      losses.push(...await start(stepper, step, step === 3 ? pixels.map(() => NaN) : pixels));
    }
    const values = await Promise.all(losses);
    expect(values.slice(0, 3)).toEqual(expected.losses);
    expect(values[3]).toBeNaN();
    expect(await stepper.weights()).toEqual(expected.weights);
    expect((await stepper.state()).step).toBe(3);
    await stepper.dispose();
  });

  Deno.test("a training reports the first step whose loss is not finite, after the steps before it (webgpu)", async () => {
    const more = options(MAE, 1), losses: number[] = [];
    const failing = {
      ...more,
      *batches(epoch: number, from: number) {
        let step = from;
        for (const batch of more.batches(epoch, from) as Iterable<{ pixels: Float32Array; labels: null }>) {
          yield step++ === 2 ? { ...batch, pixels: batch.pixels.map(() => Infinity) } : batch;
        }
      },
    };
    await expect(run("webgpu", failing, { losses })).rejects.toThrow(/at step 3: training has diverged/);
    expect(losses.length).toBe(2);
  });

  Deno.test("a step has the dispatches, bytes and copies of its plan (webgpu)", async () => {
    await loseDevice();
    // Programs are compiled while a counter runs.
    const counters = [countGpu(true)], stepper = await openMae();
    await (await start(stepper, 0))[0];
    counters.unshift(countGpu(true));
    const [loss] = await start(stepper, 1);
    const [counts] = counters.map((counter) => counter.stop());
    await loss;
    await stepper.dispose();
    const { programs, bytesUploaded } = plannedCost(config, IMAGES);
    expect(Object.fromEntries(counts.dispatches)).toEqual(
      Object.fromEntries(programs.map(({ program, dispatches }) => [program, dispatches])),
    );
    const written = programs.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
    // The ring of losses is bound as a whole.
    expect(Math.abs(counts.bytesWritten - written)).toBeLessThan(8 * stepper.maxInFlight!);
    expect({ uploads: counts.uploads, bytes: counts.bytesUploaded }).toEqual({
      uploads: 1,
      bytes: bytesUploaded,
    });
    // One copy, one read and one submission are those of the losses.
    expect(counts.copies).toBeLessThanOrEqual(1);
    expect(counts.readBacks).toBeLessThanOrEqual(1);
    expect(counts.submits).toBeLessThanOrEqual(2);
  });

  Deno.test("a step of the presets takes few dispatches", () => {
    const dispatches = (preset: "mnist" | "vit_base", batch: number) =>
      plannedCost(PRESETS[preset], batch).programs.reduce((sum, program) => sum + program.dispatches, 0);
    expect(dispatches("mnist", 128)).toBeLessThanOrEqual(100);
    expect(dispatches("vit_base", 4)).toBeLessThanOrEqual(307);
  });

  Deno.test("a program that does not compile fails before the first step (webgpu)", async () => {
    const invalid = ({ name, code }: Program) =>
      name === "AdamW of all parameters" ? code.replace("@compute", "nonsense @compute") : code;
    await withCode(invalid, async () => {
      await expect(openMae()).rejects.toThrow(/WebGPU cannot run this model.*nonsense/s);
    });
  });

  Deno.test("programs that compute wrong numbers or nothing fail before the first step (webgpu)", async () => {
    const changes: readonly [name: string, from: string, to: string][] = [
      ["AdamW of all parameters", "expAvg[i] = m;", "expAvg[i] = 1.01 * m;"],
      ["gradients of a linear layer · factor", "* factor[index]", "* 1.01 * factor[index]"],
      ["record of the loss", "losses[slot] = loss;", "losses[slot] = 0.99 * loss;"],
      ["linear + gelu", "derivative[index] = result.y;", ""],
    ];
    for (const [name, from, to] of changes) {
      const change = (program: Program) =>
        program.name === name ? program.code.replace(from, to) : program.code;
      await withCode(change, async () => {
        await expect(openMae()).rejects.toThrow(/its self-test of/);
      });
    }
  });

  Deno.test("the losses of long trainings arrive (webgpu)", async () => {
    // The largest number of a job's steps is 100 million. A float32 represents each whole number up to 2^24.
    const zeros = new Map<string, HostTensor>();
    for (const { name, shape } of parameterSpecs(config, MAE)) {
      const data = new Float32Array(sizeOf(shape));
      for (const moment of ["exp_avg", "exp_avg_sq"] as const) {
        zeros.set(momentKey(moment, name), { shape, data });
      }
    }
    const stepper = await openMae({ state: { step: 2 ** 24 - 1, moments: zeros } });
    const losses: Promise<number>[] = [];
    for (let step = 0; step < 4; step++) losses.push(...await start(stepper, step));
    for (const loss of await Promise.all(losses)) expect(loss).toBeGreaterThan(0);
    expect((await stepper.state()).step).toBe(2 ** 24 + 3);
    await stepper.dispose();
  });

  Deno.test("a training that is too large for the device's buffers runs operation by operation (webgpu)", async () => {
    // Its programs are tested with the buffers that the device has.
    await (await openMae()).dispose();
    // A stream of weights can be read only once.
    const weights = initialWeights(parameterSpecs(config, MAE), 0).entries();
    const stepper = await withBufferLimit(2 ** 16, () => openMae({ weights }));
    expect(stepper.note).toMatch(/larger than the \d+ bytes of a buffer/);
    expect(await (await start(stepper, 0))[0]).toBeGreaterThan(0);
    await stepper.dispose();
  });

  Deno.test("a training without all weights does not start (webgpu)", async () => {
    await expect(openMae({ weights: [] })).rejects.toThrow(/tensors are missing/);
  });

  Deno.test("a lost device rejects the losses of the steps in flight (webgpu)", async () => {
    const stepper = await openMae();
    await (await start(stepper, 0))[0];
    const losses = await start(stepper, 1);
    losses.push(...await start(stepper, 2));
    const settled = Promise.allSettled(losses);
    (tf.backend() as WebgpuBackend).device.destroy();
    const rejected = (await settled).flatMap((loss) => loss.status === "rejected" ? [loss.reason] : []);
    expect(rejected.length).toBeGreaterThan(0);
    for (const error of rejected) expect(error).toBeInstanceOf(BackendError);
    await expect(start(stepper, 3).then(([loss]) => loss)).rejects.toThrow(/WebGPU failed/);
    await expect(stepper.weights()).rejects.toBeInstanceOf(BackendError);
    await stepper.dispose();
    const again = await openMae();
    expect(await (await start(again, 0))[0]).toBeGreaterThan(0);
    await again.dispose();
  });
} else Deno.test.ignore("planned steps on webgpu", () => {});
