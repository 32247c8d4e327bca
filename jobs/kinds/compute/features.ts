/**
 * The features of a frozen encoder, the input of a linear probe. They are computed once per run and kept in memory, or
 * computed again for every batch when they exceed the limit.
 *
 * @module
 */
import type { ImageSet } from "../../../data/datasets/dataset.ts";
import { type BatchOptions, epochBatches } from "../../../data/datasets/loader.ts";
import { yieldToEventLoop } from "../../../data/eventLoop.ts";
import { imageDim, type MaeConfig } from "../../../model/config.ts";
import type { SelectedBackend } from "../../../model/backends/select.ts";
import { classifierFlops } from "../../../model/flops.ts";
import type { Predictor } from "../../../model/prediction/predictor.ts";
import type { Batches } from "../../../model/training/batches.ts";
import type { FeatureBatch } from "../../../model/training/objective.ts";
import type { HostWeights } from "../../../model/weights.ts";
import type { KindContext, KindEvent } from "../kind.ts";
import { openRunPredictor } from "./backend.ts";
import { featureBatches } from "./featureBatches.ts";
import { measurementBatchSize } from "./measure.ts";

/** Largest number of images of a prediction, and its approximate number of floating-point operations. */
const MAX_IMAGES = 512, PREDICTION_FLOPS = 8e9;
/** Interval of the progress events, in milliseconds. */
const REPORT_MS = 1_000;

/** The encoder and the images whose features are computed. */
export interface FeatureSetup {
  readonly backend: SelectedBackend;
  readonly config: MaeConfig;
  /** The parameters of a classifier. */
  readonly weights: HostWeights;
  readonly set: ImageSet;
}

/** The features of a set of images. */
export interface FeatureSource extends AsyncDisposable {
  /** Returns the batches of an epoch. */
  batches(options: BatchOptions): Batches;
}

/**
 * Opens the features of a set. Features that fit in memory are computed now, and events report the progress. The
 * numbers are the same in both cases.
 *
 * @throws the reason of the context's signal
 */
export async function* openFeatures(
  context: KindContext,
  setup: FeatureSetup,
): AsyncGenerator<KindEvent, FeatureSource> {
  const { config, set } = setup, { maxFeatureBytes } = context.settings;
  const predictor = await openRunPredictor(context, setup.backend, setup);
  const close = () => predictor.dispose();
  const bytes = 4 * set.count * config.embedDim;
  if (bytes > maxFeatureBytes) {
    const message = `The features of ${set.count} images take ${bytes} bytes, and the limit is ` +
      `${maxFeatureBytes} (UNMASK_MAX_FEATURE_BYTES): they are computed in every epoch`;
    yield { type: "log", level: "warning", message };
    return { batches: (options) => predictedBatches(predictor, set, options), [Symbol.asyncDispose]: close };
  }
  try {
    const features = yield* computeFeatures(context, predictor, set);
    const labelled = { features, width: config.embedDim, labels: set.labels! };
    return {
      batches: (options) => featureBatches(labelled, options),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  } finally {
    await close();
  }
}

/** Computes the features of all images, `[count, embedDim]`. */
async function* computeFeatures(
  { signal }: KindContext,
  predictor: Predictor,
  set: ImageSet,
): AsyncGenerator<KindEvent, Float32Array> {
  const { embedDim } = predictor.config, total = set.count;
  const features = new Float32Array(total * embedDim);
  let images = 0, reportedAt = performance.now();
  yield { type: "features", images, total };
  const batchSize = predictionImages(predictor);
  for (
    const { pixels, indices } of epochBatches(set, {
      batchSize,
      dropLast: false,
      shuffle: false,
      seed: 0,
      epoch: 0,
    })
  ) {
    features.set(await predictor.features(pixels), images * embedDim);
    images += indices.length;
    signal.throwIfAborted();
    if (images === total || performance.now() - reportedAt >= REPORT_MS) {
      reportedAt = performance.now();
      yield { type: "features", images, total };
    }
    await yieldToEventLoop(20);
  }
  return features;
}

/** Returns the number of images of a prediction: at most what fits in memory, and for large models one per thread. */
function predictionImages({ config, threads }: Predictor): number {
  const images = Math.min(MAX_IMAGES, Math.floor(PREDICTION_FLOPS / classifierFlops(config)));
  return measurementBatchSize(config, Math.max(threads, images), false);
}

/** Yields the batches of an epoch, with features that are computed now. */
async function* predictedBatches(
  predictor: Predictor,
  set: ImageSet,
  options: BatchOptions,
): AsyncGenerator<FeatureBatch, void> {
  const { config } = predictor, partSize = predictionImages(predictor) * imageDim(config);
  for (const { pixels, labels } of epochBatches(set, options)) {
    const features = new Float32Array(labels!.length * config.embedDim);
    let length = 0;
    for (let start = 0; start < pixels.length; start += partSize) {
      const part = await predictor.features(pixels.subarray(start, start + partSize));
      features.set(part, length);
      length += part.length;
    }
    yield { features, labels: labels! };
  }
}
