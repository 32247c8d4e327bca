/**
 * Trains a classifier, which is an encoder and a linear head, and measures it on the test split.
 *
 * @module
 */
import type { Dataset, DatasetInfo, ImageSet } from "../../../data/datasets/dataset.ts";
import type { MaeConfig } from "../../../model/config.ts";
import { classifierFlops } from "../../../model/flops.ts";
import { type Architecture, collectTensors, type HostWeights, isTrainable } from "../../../model/weights.ts";
import { emptyClasses, listNames } from "../../artifacts/classMatch.ts";
import { storeConfusion } from "../../artifacts/confusion.ts";
import { JobFailure } from "../../failure.ts";
import type { TrainingRequest } from "../../requests/trainingFields.ts";
import type { KindContext, KindEvent, TrainedModel } from "../kind.ts";
import type { SelectedBackend } from "../../../model/backends/select.ts";
import { chooseBackend, openRunPredictor } from "./backend.ts";
import { loadSplit, openDataset, requireLabels } from "./dataset.ts";
import { type ClassifierMeasure, type LogitsOf, measureClassifier, measurementBatchSize } from "./measure.ts";
import { ProbeFeatures } from "./probeFeatures.ts";
import { runTraining, type TrainingSetup } from "./runTraining.ts";
import { configOf, startOf } from "./start.ts";

/** Trains and measures a classifier. With a frozen encoder only the head is trained. @throws {JobFailure} */
export async function* trainClassifier(
  context: KindContext<TrainingRequest>,
  { freezeEncoder }: TrainedModel,
): AsyncGenerator<KindEvent, void> {
  const config = configOf(context), passes = freezeEncoder ? 1 : 3;
  const flops = passes * context.request.batchSize * classifierFlops(config);
  const backend = await chooseBackend(context.settings, flops);
  const dataset = yield* openDataset(context);
  requireClasses(dataset.info);
  const { numClasses, classNames } = dataset.info;
  const architecture: Architecture = { model: "classifier", classes: numClasses };
  const training = await trainingSet(context, dataset, config);
  const testCount = dataset.info.splits.test.count,
    loadTest = () => loadSplit(context, dataset, "test", config);
  await using features = freezeEncoder
    ? new ProbeFeatures(context, { backend, config, train: training.set, testCount, loadTest })
    : undefined;
  const { state, checkpoint, epochLoss } = yield* runTraining(context, {
    config,
    architecture,
    classNames,
    freezeEncoder,
    backend,
    preprocessing: dataset.info,
    ...training,
    features,
    ...startOf(context, { config, architecture }, classNames),
  });
  const result = { loss: epochLoss, steps: state.step, checkpoint };
  if (testCount === 0) return yield { type: "result", result };
  yield { type: "log", level: "info", message: `Measuring on ${testCount} held-out images` };
  const test = await features?.test() ?? { set: await loadTest(), features: null };
  const trained = { config, weights: await collectTensors(state.weights()), classes: numClasses };
  const { confusion, ...measured } = yield* measureOnTest(context, backend, trained, test);
  const measuredOn = {
    jobId: context.jobId,
    checkpoint,
    dataset: dataset.info.id,
    split: "test",
    classNames,
  } as const;
  const { confusionUrl } = await storeConfusion(context.store, measuredOn, confusion);
  const { accuracy: testAccuracy, loss: testLoss } = measured;
  yield { type: "result", result: { ...result, testAccuracy, testLoss, confusionUrl } };
}

/** Checks that a data set has at least two classes. @throws {JobFailure} `dataset_unlabelled`, `one_class` */
function requireClasses(info: DatasetInfo): void {
  requireLabels(info);
  if (info.numClasses >= 2) return;
  throw new JobFailure("one_class", `The data set ${info.id} has one class: a classifier needs two`);
}

/** Returns the training images, and a warning when a class has none. */
async function trainingSet(
  context: KindContext,
  dataset: Dataset,
  config: MaeConfig,
): Promise<Pick<TrainingSetup, "set" | "warnings">> {
  const set = await loadSplit(context, dataset, "train", config);
  const empty = emptyClasses(set, dataset.info.classNames);
  if (empty.length === 0) return { set };
  const names = listNames(empty);
  const warning = `There is no training image of ${names}: the classifier cannot learn these classes`;
  return { set, warnings: [warning] };
}

/** Measures the trained classifier. With features, only its head is computed. */
async function* measureOnTest(
  context: KindContext<TrainingRequest>,
  backend: SelectedBackend,
  { config, weights, classes }: {
    readonly config: MaeConfig;
    readonly weights: HostWeights;
    readonly classes: number;
  },
  { set, features }: { readonly set: ImageSet; readonly features: Float32Array | null },
): AsyncGenerator<KindEvent, ClassifierMeasure> {
  const batchSize = measurementBatchSize(config, context.request.batchSize, false);
  const needed = features ? new Map([...weights].filter(([name]) => isTrainable(name, true))) : weights;
  const predictor = await openRunPredictor(context, backend, { config, weights: needed });
  const logitsOf: LogitsOf = ({ pixels, indices }) => {
    if (features === null) return predictor.logits(pixels);
    const first = indices[0] * config.embedDim;
    return predictor.logitsOfFeatures(features.subarray(first, first + indices.length * config.embedDim));
  };
  try {
    return yield* measureClassifier(context, logitsOf, set, { classes, batchSize, reportSteps: false });
  } finally {
    await predictor.dispose();
  }
}
