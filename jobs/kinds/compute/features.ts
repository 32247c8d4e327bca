/**
 * Computes the features of images, in predictions of a suitable size.
 *
 * @module
 */
import type { ImageSet } from "../../../data/datasets/dataset.ts";
import { epochBatches } from "../../../data/datasets/loader.ts";
import { yieldToEventLoop } from "../../../data/eventLoop.ts";
import { imageDim } from "../../../model/config.ts";
import { classifierFlops } from "../../../model/flops.ts";
import type { Predictor } from "../../../model/prediction/predictor.ts";
import { measurementBatchSize } from "./measure.ts";

/** Largest number of images of a prediction, and its approximate number of floating-point operations. */
const MAX_IMAGES = 1024, PREDICTION_FLOPS = 16e9;

/** Returns the number of images of a prediction: at most what fits in memory, and for large models one per thread. */
function predictionImages({ config, threads }: Predictor): number {
  const images = Math.min(MAX_IMAGES, Math.floor(PREDICTION_FLOPS / classifierFlops(config)));
  return measurementBatchSize(config, Math.max(threads, images), false);
}

/**
 * Computes the features of all images of a set. Yields the number of images after each prediction.
 *
 * @param features is filled, `[count, embedDim]`
 * @throws the reason of the signal
 */
export async function* computeFeatures(
  predictor: Predictor,
  set: ImageSet,
  features: Float32Array,
  signal: AbortSignal,
): AsyncGenerator<number, void> {
  const options = { dropLast: false, shuffle: false, seed: 0, epoch: 0 };
  let images = 0;
  for (
    const { pixels, indices } of epochBatches(set, { ...options, batchSize: predictionImages(predictor) })
  ) {
    features.set(await predictor.features(pixels), images * predictor.config.embedDim);
    signal.throwIfAborted();
    images += indices.length;
    yield images;
    await yieldToEventLoop(20);
  }
}

/**
 * Computes the features of the images of a batch.
 *
 * @param pixels `[batch, height, width, channels]` in [0, 1]
 * @returns `[batch, embedDim]`
 * @throws the reason of the signal
 */
export async function featuresOfBatch(
  predictor: Predictor,
  pixels: Float32Array,
  signal: AbortSignal,
): Promise<Float32Array> {
  const { config } = predictor, dim = imageDim(config), partSize = predictionImages(predictor) * dim;
  const features = new Float32Array(pixels.length / dim * config.embedDim);
  let length = 0;
  for (let start = 0; start < pixels.length; start += partSize) {
    const part = await predictor.features(pixels.subarray(start, start + partSize));
    signal.throwIfAborted();
    features.set(part, length);
    length += part.length;
  }
  return features;
}
