/**
 * Measures a model over a split: the loss, and the accuracy of a classifier.
 *
 * @module
 */
import type { ImageSet } from "../../../data/datasets/dataset.ts";
import { type Batch, epochBatches } from "../../../data/datasets/loader.ts";
import { yieldToEventLoop } from "../../../data/eventLoop.ts";
import type { MaeConfig } from "../../../model/config.ts";
import { forwardBatch } from "../../../model/memory.ts";
import { classifyLogits, type MaskKey, reconstruct } from "../../../model/prediction/inference.ts";
import type { Predictor } from "../../../model/prediction/predictor.ts";
import type { Confusion } from "../../artifacts/confusion.ts";
import { notFinite } from "../finite.ts";
import type { KindContext, KindEvent } from "../kind.ts";

/** Memory for the activations of a measured batch's forward pass, in bytes. */
const FORWARD_BYTES = 2 ** 30;

/**
 * Returns the batch size of a measurement: the requested one, or the largest that fits into memory.
 *
 * @param masked false for a classifier
 */
export function measurementBatchSize(config: MaeConfig, batchSize: number, masked: boolean): number {
  return Math.min(batchSize, forwardBatch(config, FORWARD_BYTES, masked));
}

/** Yields the batches of a split in the order of its images, until the signal is aborted. */
async function* batchesInOrder(
  set: ImageSet,
  batchSize: number,
  signal: AbortSignal,
): AsyncGenerator<Batch, void> {
  for (const batch of epochBatches(set, { batchSize, dropLast: false, seed: 0, epoch: 0, shuffle: false })) {
    signal.throwIfAborted();
    yield batch;
    await yieldToEventLoop(20);
  }
}

/** The measurements of a classifier. */
export interface ClassifierMeasure {
  readonly accuracy: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Counts by actual and predicted class. */
  readonly confusion: Confusion;
}

/** Returns the logits of a batch, `[batch, classes]`. */
export type LogitsOf = (batch: Batch) => Promise<Float32Array>;

/**
 * Measures a classifier over a split.
 *
 * @param logitsOf computes the classifier
 * @param set images with the labels of the classifier
 * @param reportSteps whether each batch is reported as a step
 * @throws {JobFailure} `not_finite` when the output of the model is not finite
 */
export async function* measureClassifier(
  { signal }: Pick<KindContext, "signal">,
  logitsOf: LogitsOf,
  set: ImageSet,
  { classes, batchSize, reportSteps }: { classes: number; batchSize: number; reportSteps: boolean },
): AsyncGenerator<KindEvent, ClassifierMeasure> {
  const counts = new Uint32Array(classes * classes);
  let correct = 0, lossSum = 0, step = 0;
  for await (const batch of batchesInOrder(set, batchSize, signal)) {
    const images = batch.indices.length;
    const { loss, predicted } = classifyLogits(await logitsOf(batch), images, batch.labels);
    step++;
    if (!Number.isFinite(loss)) throw notFinite(`The classifier's loss in batch ${step} is ${loss}`);
    lossSum += loss! * images;
    batch.labels!.forEach((label, i) => {
      counts[label * classes + predicted[i]]++;
      correct += Number(label === predicted[i]);
    });
    if (reportSteps) yield { type: "step", step, epoch: 0, loss: loss!, lr: 0, images };
  }
  return { accuracy: correct / set.count, loss: lossSum / set.count, confusion: { classes, counts } };
}

/** The measurements of a masked autoencoder. */
export interface MaeMeasure {
  /** Mean squared error on masked patches. */
  readonly loss: number;
  /** Mean squared error over all pixels. */
  readonly pixelLoss: number;
}

/** Measures the reconstruction error over a split. The masks depend on the seed and the number of the batch. */
export async function* measureMae(
  { signal }: Pick<KindContext, "signal">,
  predictor: Predictor,
  set: ImageSet,
  { batchSize, ...key }: { readonly batchSize: number } & Omit<MaskKey, "step">,
): AsyncGenerator<KindEvent, MaeMeasure> {
  const sum = (values: Float32Array) => values.reduce((total, value) => total + value, 0);
  let lossSum = 0, pixelSum = 0, step = 0;
  for await (const { pixels } of batchesInOrder(set, batchSize, signal)) {
    const { images, losses, pixelErrors } = await reconstruct(predictor, pixels, { ...key, step });
    lossSum += sum(losses);
    pixelSum += sum(pixelErrors);
    step++;
    yield { type: "step", step, epoch: 0, loss: sum(losses) / images, lr: 0, images };
  }
  return { loss: lossSum / set.count, pixelLoss: pixelSum / set.count };
}
