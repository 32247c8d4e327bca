/**
 * Measures a checkpoint on a data set: reconstruction error of an MAE, accuracy of a classifier.
 *
 * @module
 */
import { dispose } from "@tensorflow/tfjs-core";
import type { Dataset, ImageSet } from "../../data/datasets/dataset.ts";
import { maskRatioIssue } from "../../model/checkConfig.ts";
import { classifierFlops, forwardFlops } from "../../model/flops.ts";
import { toTensors, type Weights } from "../../model/transformer.ts";
import { loadWeights } from "../artifacts/checkpoints.ts";
import { classNamesOf } from "../artifacts/classNames.ts";
import { classesDiffer, matchClasses, relabelled } from "../artifacts/classes.ts";
import type { Checkpoint } from "../job.ts";
import { confusionSummary, putConfusion } from "../artifacts/results.ts";
import type { RequestOf } from "../requests/schemas.ts";
import { JobFailure } from "../failure.ts";
import type { KindContext, KindEvent } from "./kind.ts";
import { measureClassifier, measureMae } from "./measure.ts";
import { openDataset } from "./openDataset.ts";
import { chooseBackend, loadSplit, measuredBatch } from "./training.ts";

/**
 * Runs an `evaluate` job. The labels of the data set are mapped to those of the classifier by class name.
 */
export async function* evaluate(
  context: KindContext<RequestOf<"evaluate">>,
): AsyncGenerator<KindEvent, void> {
  const { request, source, store } = context;
  if (!source) throw new JobFailure("no_model", "No checkpoint was given");
  const { config } = source, isMae = source.model === "mae";
  const batchSize = measuredBatch(config, request.batchSize, isMae);
  const maskRatio = request.maskRatio ?? config.maskRatio;
  const ratioIssue = isMae ? maskRatioIssue(config, maskRatio) : null;
  if (ratioIssue !== null) throw new JobFailure("mask_ratio", `mask_ratio ${ratioIssue}`);
  const { name, notes } = await chooseBackend(
    context.settings,
    batchSize * (isMae ? forwardFlops({ ...config, maskRatio }) : classifierFlops(config)),
  );
  const dataset = yield* openDataset(context);
  const classNames = await classNamesOf(store, source);
  const labels = isMae ? null : labelsFor(classNames, dataset);
  const stored = await loadSplit(context, dataset, request.split, config);
  if (stored.count === 0) {
    throw new JobFailure("split_empty", `The split '${request.split}' has no pictures`);
  }
  const set = labels === null ? stored : relabelled(stored, labels);
  const host = await loadWeights(store, source);
  const batches = Math.ceil(set.count / batchSize);
  const parameters = [...host.values()].reduce((sum, { data }) => sum + data.length, 0);
  const backend = { name, notes };
  yield { type: "started", backend, totalSteps: batches, stepsPerEpoch: batches, step: 0, parameters };
  if (batchSize < Math.min(request.batchSize, set.count)) yield smallerBatch(request.batchSize, batchSize);
  const weights = toTensors(host);
  try {
    const measured = isMae
      ? yield* measureMae(context, weights, config, set, { batchSize, seed: request.seed, maskRatio })
      : yield* classified(context, { ...source, classNames }, weights, set, batchSize);
    yield { type: "result", result: { ...measured, images: set.count, checkpoint: source.id } };
  } finally {
    dispose(weights);
  }
}

/** The classifier's label for each label of the data set. */
function labelsFor(classNames: readonly string[], { info }: Dataset): Uint16Array {
  if (!info.labelled) throw new JobFailure("dataset_unlabelled", `The data set ${info.id} has no labels`);
  const { labels, unknown } = matchClasses(classNames, info.classNames);
  if (labels) return labels;
  const message = `The data set ${info.id} ${classesDiffer(classNames, unknown)}`;
  throw new JobFailure("classes_differ", message);
}

function smallerBatch(asked: number, taken: number): KindEvent {
  const message =
    `Measuring in batches of ${taken} instead of ${asked}: larger batches do not fit into memory`;
  return { type: "log", level: "warning", message };
}

/** Measures a classifier and stores its confusion matrix as an object. */
async function* classified(
  context: KindContext<RequestOf<"evaluate">>,
  { id: checkpoint, config, classNames }: Checkpoint & { readonly classNames: readonly string[] },
  weights: Weights,
  set: ImageSet,
  batchSize: number,
): AsyncGenerator<KindEvent, Record<string, unknown>> {
  const { jobId, store, request: { dataset: { id: dataset }, split } } = context;
  const { confusion, ...measured } = yield* measureClassifier(
    context,
    weights,
    config,
    set,
    classNames.length,
    batchSize,
    true,
  );
  await putConfusion(store, { jobId, checkpoint, dataset, split, classNames }, confusion);
  return { ...measured, ...confusionSummary(jobId, classNames, confusion) };
}
