/**
 * Predictions in planned forward passes on a device. A pass is one copy of its inputs, one command buffer and one read.
 *
 * @module
 */
import { imageDim, type MaeConfig, numPatches } from "../../../config.ts";
import type { MaskedBatch } from "../../../mae.ts";
import { patchify } from "../../../patches.ts";
import type { Predictor, PredictorOptions } from "../../../prediction/predictor.ts";
import type { Shape } from "../../../shape.ts";
import type { Task } from "../../../training/objective.ts";
import { bytesOf } from "../../../weights.ts";
import { keyOf, type Pass, recordPass } from "../../simd/prediction/pass.ts";
import { readBuffer } from "../readBuffer.ts";
import { BoundPlan, maxBytesOf } from "./bindings.ts";
import { Commands } from "./commands.ts";
import { lower } from "./lower.ts";
import { Parameters } from "./parameters.ts";
import { checked, type PlanDevice } from "./planDevice.ts";
import { DeviceStepper } from "./plannedStepper.ts";

/** Maximum number of passes, with different outputs or sizes, whose buffers are kept. */
const MAX_PASSES = 16;

/** A pass over batches of one size. */
interface CompiledPass {
  readonly bound: BoundPlan;
  readonly commands: Commands;
}

type Feeds = Readonly<Record<string, Float32Array | Int32Array>>;

/**
 * Returns the number of images of the pass that computes `images` images: at most a quarter more, so that few passes are
 * compiled. An image does not depend on those that fill up the batch.
 */
function paddedSize(images: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(images)) - 2);
  return Math.ceil(images / step) * step;
}

/** Returns a training whose programs include those of a pass. */
function taskOf(config: MaeConfig, pass: Pass): Task {
  if (pass.output !== "patches") {
    const architecture = { model: "classifier", classes: 2 } as const;
    return { config: { ...config, dropout: 0 }, architecture, seed: 0 };
  }
  const patches = numPatches(config), keep = Math.min(pass.keep, patches - 1);
  // Between two whole numbers of visible patches, so that rounding does not matter.
  const maskRatio = 1 - (keep + 0.5) / patches;
  return { config: { ...config, dropout: 0, maskRatio }, architecture: { model: "mae" }, seed: 0 };
}

/** A predictor that submits planned passes to a device. */
export class DevicePredictor implements Predictor {
  readonly config: MaeConfig;
  readonly threads = 1;
  readonly note = null;
  readonly memoryBytes: number;
  readonly #device: PlanDevice;
  readonly #shapes: ReadonlyMap<string, Shape>;
  readonly #parameters: Parameters;
  readonly #slots: GPUBuffer[] = [];
  /** By the pass and the number of images. */
  readonly #compiled = new Map<string, CompiledPass>();
  /** Resolves when the last pass has ended. */
  #last: Promise<unknown> = Promise.resolve();

  /** Allocates the parameters. */
  private constructor(
    planDevice: PlanDevice,
    { config, weights }: PredictorOptions,
    shapes: ReadonlyMap<string, Shape>,
  ) {
    const { device } = planDevice.launcher.backend;
    this.config = config;
    this.memoryBytes = bytesOf(weights);
    this.#device = planDevice;
    this.#shapes = shapes;
    this.#parameters = new Parameters(device, [], weights, maxBytesOf(device));
  }

  /**
   * Copies the weights to the device.
   *
   * @throws {PlanError} when an operation has no program, or a parameter is too large for the device
   * @throws {BackendError} when the device has too little memory
   */
  static async open(planDevice: PlanDevice, options: PredictorOptions): Promise<DevicePredictor> {
    const { config, weights } = options;
    const shapes = new Map([...weights].map(([name, { shape }]) => [name, shape]));
    const pass: Pass = weights.has("decoder.mask_token")
      ? { output: "patches", keep: 1 }
      : weights.has("encoder.norm.weight")
      ? { output: "features" }
      : { output: "logits of features" };
    lower(recordPass(config, shapes, pass, 1));
    const predictor = await checked(planDevice, () => new DevicePredictor(planDevice, options, shapes));
    await predictor.#parameters.write(weights);
    return predictor;
  }

  patches(batch: MaskedBatch): Promise<Float32Array<ArrayBuffer>> {
    const { visible, positions, masking: { restoreRows, keep, batch: images } } = batch;
    return this.#run({ output: "patches", keep }, images, { visible, positions, restoreRows });
  }

  features(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#ofPixels("features", pixels);
  }

  logits(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#ofPixels("logits", pixels);
  }

  logitsOfFeatures(features: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#run({ output: "logits of features" }, features.length / this.config.embedDim, { features });
  }

  async dispose(): Promise<void> {
    await this.#last;
    for (const key of [...this.#compiled.keys()]) this.#forget(key);
    this.#parameters.destroy();
    for (const buffer of this.#slots) buffer.destroy();
  }

  #ofPixels(output: "features" | "logits", pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { config } = this;
    return this.#run({ output }, pixels.length / imageDim(config), { patches: patchify(pixels, config) });
  }

  #run(pass: Pass, images: number, feeds: Feeds): Promise<Float32Array<ArrayBuffer>> {
    const result = this.#last.then(() => this.#runAlone(pass, images, feeds));
    this.#last = result.catch(() => {});
    return result;
  }

  async #runAlone(pass: Pass, images: number, feeds: Feeds): Promise<Float32Array<ArrayBuffer>> {
    const padded = paddedSize(images);
    const { bound, commands } = await this.#compiledFor(pass, padded);
    const { guard, launcher: { backend: { device } } } = this.#device;
    for (const [name, values] of Object.entries(feeds)) bound.feeds.write(name, values);
    const bytes = await guard.run(() => {
      bound.feeds.upload();
      commands.submit();
      return readBuffer(device, bound.output.buffer, bound.output.size! / padded * images);
    });
    return new Float32Array(bytes);
  }

  async #compiledFor(pass: Pass, images: number): Promise<CompiledPass> {
    const key = `${keyOf(pass)} ${images}`, cached = this.#compiled.get(key);
    if (cached) return cached;
    const graph = recordPass(this.config, this.#shapes, pass, images), plan = lower(graph);
    await DeviceStepper.test(this.#device, plan, taskOf(this.config, pass));
    const { launcher } = this.#device, { device } = launcher.backend;
    const compiled = await checked(this.#device, () => {
      const bound = new BoundPlan(graph, plan, {
        device,
        maxBytes: maxBytesOf(device),
        slots: this.#slots,
        parameter: (name) => this.#parameters.binding(name),
        gradient: () => {
          throw new Error("A forward pass has no gradients");
        },
      });
      return { bound, commands: new Commands(launcher, bound.calls) };
    });
    const [oldest] = this.#compiled.keys();
    if (this.#compiled.size === MAX_PASSES) this.#forget(oldest);
    this.#compiled.set(key, compiled);
    return compiled;
  }

  #forget(key: string): void {
    const { bound, commands } = this.#compiled.get(key)!;
    commands.destroy();
    bound.destroy();
    this.#compiled.delete(key);
  }
}
