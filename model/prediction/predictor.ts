/**
 * The interface of predictors, which compute the outputs of a trained model.
 *
 * @module
 */
import type { Pool } from "../classifier.ts";
import type { MaeConfig } from "../config.ts";
import type { MaskedBatch } from "../mae.ts";
import type { PositionTables } from "../positions.ts";
import type { HostWeights } from "../weights.ts";

/** The model that a predictor computes. */
export interface PredictorOptions {
  readonly config: MaeConfig;
  /** The parameters that the called methods need, and stored position tables. They are copied. */
  readonly weights: HostWeights;
  /** Number of threads that compute, if the backend supports threads. */
  readonly threads: number;
}

/**
 * Computes the outputs of one model. Calls may overlap; they are computed one after another. The numbers of an image do
 * not depend on the other images of a call.
 */
export interface Predictor {
  readonly config: MaeConfig;
  /** Positions of the model. */
  readonly tables: PositionTables;
  /** Number of threads that compute. */
  readonly threads: number;
  /** Why a faster predictor could not be used, or null. */
  readonly note: string | null;
  /** Memory of the weights and, where it is kept, of the buffers of the largest call so far. */
  readonly memoryBytes: number;
  /** Returns the predicted patches of an MAE as it predicts them, `[batch, N, P·P·C]`; see `denormalizePatches`. */
  patches(batch: MaskedBatch): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Returns the features of images, `[batch, embedDim]`.
   *
   * @param pixels `[batch, height, width, channels]` in [0, 1]
   * @param pool that of the configuration by default
   */
  features(pixels: Float32Array, pool?: Pool): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Returns queries, keys and values of the encoder's last block for all tokens, `[batch, T, 3 · embedDim]`.
   *
   * @param pixels `[batch, height, width, channels]` in [0, 1]
   */
  lastQkv(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>>;
  /** Returns the logits of a classifier, `[batch, classes]`. @param pixels `[batch, height, width, channels]` in [0, 1] */
  logits(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>>;
  /** Returns the logits of features, `[batch, classes]`. @param features `[batch, embedDim]` */
  logitsOfFeatures(features: Float32Array): Promise<Float32Array<ArrayBuffer>>;
  /** Frees all memory and threads. Must not be called during a call. */
  dispose(): Promise<void>;
}

/** Plans predictions for a backend that runs whole forward passes. */
export interface PredictionPlanner {
  /**
   * Opens a predictor.
   *
   * @throws {PlanError} when it does not support this model
   */
  openPredictor(options: PredictorOptions): Promise<Predictor>;
}
