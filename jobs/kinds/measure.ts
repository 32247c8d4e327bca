/**
 * Measures a model over a split.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { MaeConfig } from "../../model/config.ts";
import { classifyBatch, reconstruct } from "../../model/inference.ts";
import type { Weights } from "../../model/transformer.ts";
import type { Confusion } from "../artifacts/results.ts";
import { notFinite } from "./finite.ts";
import { KindContext, KindEvent } from "./kind.ts";
import { breather, inOrder } from "./training.ts";

/** A classifier's worth. */
export interface ClassifierMeasure {
  readonly accuracy: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Counts by actual and predicted class. */
  readonly confusion: Confusion;
}

/**
 * Accuracy, loss and confusion over a split.
 *
 * @param set images with the labels of the classifier
 * @param reportSteps whether each batch is reported as a step
 * @throws {JobFailure} `not_finite` when the output of the model is not finite
 */
export async function* measureClassifier(
  { signal }: KindContext,
  weights: Weights,
  config: MaeConfig,
  set: ImageSet,
  classes: number,
  batchSize: number,
  reportSteps: boolean,
): AsyncGenerator<KindEvent, ClassifierMeasure> {
  const counts = new Uint32Array(classes * classes);
  const breathe = breather();
  let right = 0, lossSum = 0, step = 0;
  for (const batch of inOrder(set, batchSize)) {
    signal.throwIfAborted();
    const { images, loss, predicted } = await classifyBatch(weights, config, batch.pixels, batch.labels);
    step++;
    if (!Number.isFinite(loss)) throw notFinite(`The classifier's loss in batch ${step} is ${loss}`);
    lossSum += loss! * images;
    batch.labels!.forEach((label, i) => {
      counts[label * classes + predicted[i]]++;
      right += Number(label === predicted[i]);
    });
    if (reportSteps) yield { type: "step", step, epoch: 0, loss: loss!, lr: 0, images };
    await breathe();
  }
  return { accuracy: right / set.count, loss: lossSum / set.count, confusion: { classes, counts } };
}

/** An MAE's worth. */
export interface MaeMeasure {
  /** Mean squared error on masked patches. */
  readonly loss: number;
  /** Mean squared error over all pixels. */
  readonly pixelLoss: number;
}

/** Reconstruction error over a split, the masks drawn from the seed. */
export async function* measureMae(
  { signal }: KindContext,
  weights: Weights,
  config: MaeConfig,
  set: ImageSet,
  { batchSize, seed, maskRatio }: { batchSize: number; seed: number; maskRatio: number },
): AsyncGenerator<KindEvent, MaeMeasure> {
  const breathe = breather();
  const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
  let lossSum = 0, pixelSum = 0, step = 0;
  for (const { pixels } of inOrder(set, batchSize)) {
    signal.throwIfAborted();
    const { images, losses, pixelErrors } = await reconstruct(weights, config, pixels, {
      seed,
      step,
      maskRatio,
    });
    lossSum += sum(losses);
    pixelSum += sum(pixelErrors);
    step++;
    yield { type: "step", step, epoch: 0, loss: sum(losses) / images, lr: 0, images };
    await breathe();
  }
  return { loss: lossSum / set.count, pixelLoss: pixelSum / set.count };
}
