/**
 * Predictions in planned forward passes on a device. A pass is one copy of its inputs, one command buffer and one read.
 *
 * @module
 */
import { imageDim, type MaeConfig } from "../../../config.ts";
import type { MaskedBatch } from "../../../mae.ts";
import { patchify } from "../../../patches.ts";
import { PlanError } from "../../../planError.ts";
import type { Predictor, PredictorOptions } from "../../../prediction/predictor.ts";
import type { Shape } from "../../../shape.ts";
import { bytesOf } from "../../../weights.ts";
import { keyOf, type Pass, recordPass } from "../../simd/prediction/pass.ts";
import { readBuffer } from "../readBuffer.ts";
import { BoundPlan, maxBytesOf } from "./bindings.ts";
import { Commands } from "./commands.ts";
import { lower } from "./lower.ts";
import { Parameters } from "./parameters.ts";
import { checked, type PlanDevice } from "./planDevice.ts";
import { DeviceStepper } from "./plannedStepper.ts";
import { paddedSize, testTask } from "./predictionPass.ts";

/** Maximum number of passes, with different outputs or sizes, whose buffers are kept. */
const MAX_PASSES = 16;

/** A pass over batches of one size. */
interface CompiledPass {
  readonly bound: BoundPlan;
  readonly commands: Commands;
}

type Feeds = Readonly<Record<string, Float32Array | Int32Array>>;

/** Returns the feeds of some images of a call. @param first index of the first image */
type FeedsOf = (first: number, images: number) => Feeds;

/** Returns the part of a batch that belongs to some of its images. @param size number of values of an image */
function partOf(data: Float32Array, size: number, first: number, images: number): Float32Array {
  return data.subarray(first * size, (first + images) * size);
}

function concat(a: Float32Array, b: Float32Array): Float32Array<ArrayBuffer> {
  const both = new Float32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
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

  patches({ visible, positions, masking }: MaskedBatch): Promise<Float32Array<ArrayBuffer>> {
    const { restoreRows, keep, patches, batch } = masking;
    return this.#run({ output: "patches", keep }, batch, (first, images) => ({
      visible: partOf(visible, visible.length / batch, first, images),
      positions: partOf(positions, positions.length / batch, first, images),
      restoreRows: restoreRows.subarray(first * patches, (first + images) * patches)
        .map((row) => row < 0 ? row : row - first * keep),
    }));
  }

  features(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#ofPixels("features", pixels);
  }

  logits(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#ofPixels("logits", pixels);
  }

  logitsOfFeatures(features: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { embedDim } = this.config;
    return this.#run({ output: "logits of features" }, features.length / embedDim, (first, images) => ({
      features: partOf(features, embedDim, first, images),
    }));
  }

  async dispose(): Promise<void> {
    await this.#last;
    for (const key of [...this.#compiled.keys()]) this.#forget(key);
    this.#parameters.destroy();
    for (const buffer of this.#slots) buffer.destroy();
  }

  #ofPixels(output: "features" | "logits", pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { config } = this, dim = imageDim(config);
    return this.#run({ output }, pixels.length / dim, (first, images) => ({
      patches: patchify(partOf(pixels, dim, first, images), config),
    }));
  }

  /** Runs a pass after all earlier ones. A batch whose results are too large for the device's buffers is halved. */
  #run(pass: Pass, images: number, feedsOf: FeedsOf): Promise<Float32Array<ArrayBuffer>> {
    const result = this.#last.then(() => this.#runAlone(pass, feedsOf, 0, images));
    this.#last = result.catch(() => {});
    return result;
  }

  async #runAlone(
    pass: Pass,
    feedsOf: FeedsOf,
    first: number,
    images: number,
  ): Promise<Float32Array<ArrayBuffer>> {
    const padded = paddedSize(images);
    let compiled: CompiledPass;
    try {
      compiled = await this.#compiledFor(pass, padded);
    } catch (error) {
      if (!(error instanceof PlanError) || images === 1) throw error;
      const half = Math.ceil(images / 2);
      return concat(
        await this.#runAlone(pass, feedsOf, first, half),
        await this.#runAlone(pass, feedsOf, first + half, images - half),
      );
    }
    const { bound, commands } = compiled;
    const { guard, launcher: { backend: { device } } } = this.#device;
    for (const [name, values] of Object.entries(feedsOf(first, images))) bound.feeds.write(name, values);
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
    await DeviceStepper.test(this.#device, plan, testTask(this.config, pass));
    const { launcher } = this.#device, { device } = launcher.backend, slots = this.#slots.length;
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
    }).catch((error) => {
      // Without memory for them, the new buffers are invalid.
      for (const buffer of this.#slots.splice(slots)) buffer.destroy();
      throw error;
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
