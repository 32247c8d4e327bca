/**
 * Predictions operation by operation through TensorFlow.js.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { classify, features, type Pool, unmaskedBatch } from "../classifier.ts";
import type { MaeConfig } from "../config.ts";
import { type EncoderInput, lastQkv } from "../encoder.ts";
import { type MaskedBatch, predictPatches } from "../mae.ts";
import { native } from "../ops/native.ts";
import { type PositionTables, tablesOf } from "../positions.ts";
import { toTensors, type Weights } from "../transformer.ts";
import { bytesOf } from "../weights.ts";
import { patchRows } from "./patchRows.ts";
import type { Predictor, PredictorOptions } from "./predictor.ts";

/** Computes the outputs of a model on the selected backend of TensorFlow.js. */
export class EagerPredictor implements Predictor {
  readonly config: MaeConfig;
  readonly tables: PositionTables;
  readonly threads = native().threads ?? 1;
  readonly memoryBytes: number;
  readonly #weights: Weights;

  /** @param note why a faster predictor could not be used, or null */
  constructor({ config, weights }: PredictorOptions, readonly note: string | null) {
    this.config = config;
    this.tables = tablesOf(config, weights);
    this.memoryBytes = bytesOf(weights);
    this.#weights = toTensors(weights);
  }

  async patches(batch: MaskedBatch): Promise<Float32Array<ArrayBuffer>> {
    const rows = await this.#run(() => predictPatches(this.#weights, this.config, batch).pred);
    return patchRows(this.config, rows);
  }

  features(pixels: Float32Array, pool?: Pool): Promise<Float32Array<ArrayBuffer>> {
    return this.#run(() => this.#features(pixels, pool));
  }

  lastQkv(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#run(() => lastQkv(this.#weights, this.config, this.#input(pixels)));
  }

  logits(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#run(() => classify(this.#weights, this.config, this.#features(pixels)));
  }

  logitsOfFeatures(features: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { embedDim } = this.config, images = features.length / embedDim;
    return this.#run(() => classify(this.#weights, this.config, tf.tensor2d(features, [images, embedDim])));
  }

  dispose(): Promise<void> {
    tf.dispose(this.#weights);
    return Promise.resolve();
  }

  #features(pixels: Float32Array, pool?: Pool): tf.Tensor2D {
    return features(this.#weights, this.config, this.#input(pixels), { pool });
  }

  #input(pixels: Float32Array): EncoderInput {
    return unmaskedBatch(this.config, pixels, { tables: this.tables });
  }

  async #run(compute: () => tf.Tensor): Promise<Float32Array<ArrayBuffer>> {
    const tensor = tf.tidy(compute);
    try {
      return await tensor.data() as Float32Array<ArrayBuffer>;
    } finally {
      tensor.dispose();
    }
  }
}
