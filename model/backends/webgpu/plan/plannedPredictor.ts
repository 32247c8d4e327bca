/**
 * Predictions in planned forward passes on a device. A pass is one copy of its inputs, one command buffer and one read.
 *
 * @module
 */
import { classTokenFirst } from "../../../classToken.ts";
import type { Pool } from "../../../classifier.ts";
import { imageDim, type MaeConfig, numPatches } from "../../../config.ts";
import type { MaskedBatch } from "../../../mae.ts";
import { inputPatches } from "../../../normalize.ts";
import { PlanError } from "../../../planError.ts";
import { type PositionTables, tablesOf } from "../../../positions.ts";
import { patchRows } from "../../../prediction/patchRows.ts";
import type { Predictor, PredictorOptions } from "../../../prediction/predictor.ts";
import { bytesOf } from "../../../weights.ts";
import { keyOf, type Pass, type PassModel, recordPass } from "../../simd/prediction/pass.ts";
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

/** Returns the feed of the encoder's order. A forward pass does not read the others. */
function orderOf(images: number, keep: number): Feeds {
  return { clsRestoreRows: classTokenFirst(images, keep).restoreRows };
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
  readonly tables: PositionTables;
  readonly threads = 1;
  readonly note = null;
  readonly memoryBytes: number;
  readonly #device: PlanDevice;
  readonly #model: PassModel;
  readonly #parameters: Parameters;
  readonly #slots: GPUBuffer[] = [];
  /** By the pass and the number of images. */
  readonly #compiled = new Map<string, CompiledPass>();
  /** Resolves when the last pass has ended. */
  #last: Promise<unknown> = Promise.resolve();

  /** Allocates the parameters. */
  private constructor(
    planDevice: PlanDevice,
    { weights }: PredictorOptions,
    model: PassModel,
  ) {
    const { device } = planDevice.launcher.backend;
    this.config = model.config;
    this.tables = model.tables;
    this.memoryBytes = bytesOf(weights);
    this.#device = planDevice;
    this.#model = model;
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
    const parameters = new Map([...weights].map(([name, { shape }]) => [name, shape]));
    const model = { config, tables: tablesOf(config, weights), parameters };
    const pass: Pass = weights.has("decoder.mask_token")
      ? { output: "patches", keep: 1 }
      : weights.has("encoder.patch_embed.projection.1.weight")
      ? { output: "features", pool: config.pool }
      : { output: "logits of features" };
    lower(recordPass(model, pass, 1));
    const predictor = await checked(planDevice, () => new DevicePredictor(planDevice, options, model));
    await predictor.#parameters.write(weights);
    return predictor;
  }

  async patches(
    { batch, patches, positions, order, masking: { keep }, decoderOrder }: MaskedBatch,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { restoreRows, patches: decoded, keep: encoded } = decoderOrder; // T and S
    const rows = await this.#run({ output: "patches", keep }, batch, (first, images) => ({
      visible: partOf(patches, patches.length / batch, first, images),
      positions: partOf(positions, positions.length / batch, first, images),
      ...(order && orderOf(images, keep)),
      restoreRows: restoreRows.subarray(first * decoded, (first + images) * decoded)
        .map((row) => row < 0 ? row : row - first * encoded),
    }));
    return patchRows(this.config, rows);
  }

  features(pixels: Float32Array, pool: Pool = this.config.pool): Promise<Float32Array<ArrayBuffer>> {
    return this.#ofPixels({ output: "features", pool }, pixels);
  }

  lastQkv(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#ofPixels({ output: "last qkv" }, pixels);
  }

  logits(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#ofPixels({ output: "logits" }, pixels);
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

  #ofPixels(pass: Pass, pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { config } = this, dim = imageDim(config);
    return this.#run(pass, pixels.length / dim, (first, images) => ({
      patches: inputPatches(partOf(pixels, dim, first, images), config),
      ...(config.clsToken && orderOf(images, numPatches(config))),
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
    const graph = recordPass(this.#model, pass, images), plan = lower(graph);
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
