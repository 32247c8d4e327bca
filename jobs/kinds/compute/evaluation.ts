/**
 * Evaluates a checkpoint on a split of a data set.
 *
 * @module
 */
import type { Dataset, ImageSet, SplitName } from "../../../data/datasets/dataset.ts";
import type { SelectedBackend } from "../../../model/backends/select.ts";
import type { MaskKey } from "../../../model/prediction/inference.ts";
import type { Predictor } from "../../../model/prediction/predictor.ts";
import { parameterCount } from "../../../model/weights.ts";
import { architectureOf, loadWeights } from "../../artifacts/readCheckpoint.ts";
import { classesMessage, matchClasses, relabel } from "../../artifacts/classMatch.ts";
import { classNamesOf } from "../../artifacts/classNames.ts";
import { storeConfusion } from "../../artifacts/confusion.ts";
import { JobFailure } from "../../failure.ts";
import type { Checkpoint } from "../../job.ts";
import type { KindContext, KindEvent } from "../kind.ts";
import { openRunPredictor } from "./backend.ts";
import { loadSplit, requireLabels } from "./dataset.ts";
import { type MaeMeasure, measureClassifier, measureMae } from "./measure.ts";

/** The checkpoint, the data and the backend of an evaluation. */
export interface Evaluation {
  readonly source: Checkpoint;
  readonly dataset: Dataset;
  readonly split: SplitName;
  readonly backend: SelectedBackend;
  readonly batchSize: number;
  /** The batch size of the request, which may be larger. */
  readonly requestedBatchSize: number;
}

/** Measures a masked autoencoder. Reports every batch as a step. @throws {JobFailure} */
export async function* evaluateMae(
  context: KindContext,
  evaluation: Evaluation,
  options: Omit<MaskKey, "step">,
): AsyncGenerator<KindEvent, MaeMeasure & { readonly images: number }> {
  const { batchSize } = evaluation, set = await loadImages(context, evaluation);
  const measured = yield* withPredictor(
    context,
    evaluation,
    set,
    (predictor) => measureMae(context, predictor, set, { batchSize, ...options }),
  );
  return { ...measured, images: set.count };
}

/**
 * Measures a classifier, and stores its confusion matrix as an object. Reports every batch as a step. The labels of the
 * data set are mapped to those of the classifier by class name.
 *
 * @throws {JobFailure}
 */
export async function* evaluateClassifier(
  context: KindContext,
  evaluation: Evaluation,
): AsyncGenerator<KindEvent, Record<string, unknown>> {
  const { jobId, store } = context;
  const { source, dataset, split, batchSize } = evaluation;
  const classNames = await classNamesOf(store, source);
  const labels = classifierLabels(classNames, dataset);
  const set = relabel(await loadImages(context, evaluation), labels);
  const options = { classes: classNames.length, batchSize, reportSteps: true };
  const { confusion, ...measured } = yield* withPredictor(
    context,
    evaluation,
    set,
    (predictor) => measureClassifier(context, ({ pixels }) => predictor.logits(pixels), set, options),
  );
  const measuredOn = { jobId, checkpoint: source.id, dataset: dataset.info.id, split, classNames };
  return { ...measured, ...await storeConfusion(store, measuredOn, confusion), images: set.count };
}

async function loadImages(
  context: KindContext,
  { dataset, split, source }: Evaluation,
): Promise<ImageSet> {
  const set = await loadSplit(context, dataset, split, source.config);
  if (set.count > 0) return set;
  throw new JobFailure("split_empty", `The split '${split}' has no images`);
}

/** Opens a predictor of the checkpoint, reports the start, and measures. */
async function* withPredictor<T>(
  context: KindContext,
  evaluation: Evaluation,
  set: ImageSet,
  measure: (predictor: Predictor) => AsyncGenerator<KindEvent, T>,
): AsyncGenerator<KindEvent, T> {
  const { source, backend } = evaluation;
  const weights = await loadWeights(context.store, source);
  const predictor = await openRunPredictor(context, backend, { config: source.config, weights });
  try {
    yield* reportStart(evaluation, set, predictor);
    return yield* measure(predictor);
  } finally {
    await predictor.dispose();
  }
}

function* reportStart(
  { source, backend: { name, vectorBits, notes }, batchSize, requestedBatchSize }: Evaluation,
  { count }: ImageSet,
  { threads, note }: Predictor,
): Generator<KindEvent, void> {
  const batches = Math.ceil(count / batchSize);
  const parameters = parameterCount(source.config, architectureOf(source));
  const backend = { name, threads, vectorBits, notes: note ? [...notes, note] : notes };
  yield { type: "started", backend, totalSteps: batches, stepsPerEpoch: batches, step: 0, parameters };
  if (batchSize < Math.min(requestedBatchSize, count)) {
    const message =
      `Measuring in batches of ${batchSize} instead of ${requestedBatchSize}: larger batches do not fit into memory`;
    yield { type: "log", level: "warning", message };
  }
}

/** Returns the classifier's label for each label of the data set. @throws {JobFailure} */
function classifierLabels(classNames: readonly string[], { info }: Dataset): Uint16Array {
  requireLabels(info);
  const match = matchClasses(classNames, info.classNames);
  const message = classesMessage(classNames, match);
  if (match.labels && message === null) return match.labels;
  throw new JobFailure("classes_differ", `The data set ${info.id} ${message}`);
}
