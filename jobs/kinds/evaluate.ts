/**
 * Measures a checkpoint on a data set: reconstruction error of an MAE, accuracy of a classifier.
 *
 * @module
 */
import { dispose } from "@tensorflow/tfjs-core";
import { numKeep, numPatches } from "../../model/config.ts";
import { onBackend } from "../../model/evaluate.ts";
import { classifierFlops, forwardFlops } from "../../model/flops.ts";
import { loadWeights } from "../checkpoints.ts";
import type { RequestOf } from "../schemas.ts";
import { JobFailure, type KindContext, type KindEvent } from "./kind.ts";
import { measureClassifier, measureMae } from "./measure.ts";
import { chooseBackend, loadSplit, measuredBatch, openDataset } from "./training.ts";

/** Runs an `evaluate` job. */
export async function* evaluate(
  context: KindContext<RequestOf<"evaluate">>,
): AsyncGenerator<KindEvent, void> {
  const { request, source, store } = context;
  if (!source) throw new JobFailure("no_model", "No checkpoint was given");
  const { config, classNames } = source;
  const { seed } = request, batchSize = measuredBatch(config, request.batchSize, source.model === "mae");
  const maskRatio = request.maskRatio ?? config.maskRatio;
  const keep = numKeep(numPatches(config), maskRatio);
  if (keep < 1 || keep >= numPatches(config)) {
    throw new JobFailure(
      "mask_ratio",
      `mask_ratio ${maskRatio} keeps ${keep} of ${numPatches(config)} patches`,
    );
  }
  const flops = source.model === "mae" ? forwardFlops({ ...config, maskRatio }) : classifierFlops(config);
  const backend = await chooseBackend(batchSize * flops);
  const dataset = await openDataset(context);
  if (source.model === "classifier" && dataset.info.numClasses !== classNames.length) {
    const message =
      `The data set has ${dataset.info.numClasses} classes, the classifier ${classNames.length}`;
    throw new JobFailure("classes_differ", message);
  }
  const set = await loadSplit(context, dataset, request.split, config);
  if (set.count === 0) throw new JobFailure("split_empty", `The split '${request.split}' has no pictures`);
  const host = await loadWeights(store, source);
  const batches = Math.ceil(set.count / batchSize);
  const parameters = [...host.values()].reduce((sum, { data }) => sum + data.length, 0);
  yield { type: "started", backend, totalSteps: batches, stepsPerEpoch: batches, step: 0, parameters };
  const weights = onBackend(host);
  try {
    const measured = source.model === "mae"
      ? yield* measureMae(context, weights, config, set, { batchSize, seed, maskRatio })
      : yield* measureClassifier(context, weights, config, set, classNames.length, batchSize, true);
    yield { type: "result", result: { ...measured, images: set.count, checkpoint: source.id } };
  } finally {
    dispose(weights);
  }
}
