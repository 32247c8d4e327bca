/**
 * Trains a classifier on an encoder: all of it (fine-tuning), or its head alone (linear probe); tutorial, "Using the
 * Pretrained Encoder".
 *
 * @module
 */
import { dispose } from "@tensorflow/tfjs-core";
import type { Dataset } from "../../data/datasets/dataset.ts";
import { completeConfig, type MaeConfig } from "../../model/config.ts";
import { toTensors } from "../../model/transformer.ts";
import { encoderSpecs, headSpecs, initialWeights, type ModelShape } from "../../model/weights.ts";
import { classifierFlops } from "../../model/flops.ts";
import { loadWeights } from "../artifacts/checkpoints.ts";
import { emptyClasses, listNames } from "../artifacts/classes.ts";
import { confusionSummary, putConfusion } from "../artifacts/results.ts";
import type { RequestOf } from "../requests/schemas.ts";
import { JobFailure } from "../failure.ts";
import type { KindContext, KindEvent } from "./kind.ts";
import { measureClassifier } from "./measure.ts";
import { openDataset } from "./openDataset.ts";
import {
  chooseBackend,
  encoderOf,
  loadSplit,
  measuredBatch,
  runTraining,
  type TrainingPlan,
} from "./training.ts";

type ClassifierRequest = RequestOf<"finetune"> | RequestOf<"linear_probe">;

/** Runs a `finetune` or `linear_probe` job and measures it on the held-out images. */
export async function* trainClassifier(
  context: KindContext<ClassifierRequest>,
): AsyncGenerator<KindEvent, void> {
  const { request, source, store, jobId } = context;
  const config = source?.config ?? (request.model && completeConfig(request.model));
  if (!config) throw new JobFailure("no_model", "Neither a checkpoint nor a model was given");
  const passes = request.kind === "linear_probe" ? 1 : 3;
  const backend = await chooseBackend(context.settings, passes * request.batchSize * classifierFlops(config));
  const dataset = yield* openDataset(context);
  const { numClasses, classNames, labelled, splits } = dataset.info;
  if (!labelled) throw new JobFailure("dataset_unlabelled", `The data set ${dataset.info.id} has no labels`);
  if (numClasses < 2) {
    throw new JobFailure(
      "one_class",
      `The data set ${dataset.info.id} has one class: a classifier needs two`,
    );
  }
  const shape: ModelShape = { model: "classifier", classes: numClasses };
  const { state, checkpoint, epochLoss } = yield* runTraining(context, {
    config,
    shape,
    classNames,
    freezeEncoder: request.kind === "linear_probe",
    backend,
    rule: dataset.info,
    ...await trainingSet(context, dataset, config),
    initial: async () => {
      const encoder = source
        ? encoderOf(await loadWeights(store, source), config)
        : initialWeights(encoderSpecs(config), request.seed);
      return new Map([...encoder, ...initialWeights(headSpecs(config, numClasses), request.seed)]);
    },
  });
  const result = { loss: epochLoss, steps: state.step, checkpoint };
  if (splits.test.count === 0) return yield { type: "result", result };

  yield { type: "log", level: "info", message: `Measuring on ${splits.test.count} held-out pictures` };
  const test = await loadSplit(context, dataset, "test", config);
  const weights = toTensors(state.weights);
  try {
    const measured = yield* measureClassifier(
      context,
      weights,
      config,
      test,
      numClasses,
      measuredBatch(config, request.batchSize, false),
      false,
    );
    const source = { jobId, checkpoint, dataset: dataset.info.id, split: "test" as const, classNames };
    await putConfusion(store, source, measured.confusion);
    const { confusionUrl } = confusionSummary(jobId, classNames, measured.confusion);
    const { accuracy: testAccuracy, loss: testLoss } = measured;
    yield { type: "result", result: { ...result, testAccuracy, testLoss, confusionUrl } };
  } finally {
    dispose(weights);
  }
}

/** The training images, and a warning when a class has none. */
async function trainingSet(
  context: KindContext,
  dataset: Dataset,
  config: MaeConfig,
): Promise<Pick<TrainingPlan, "set" | "warnings">> {
  const set = await loadSplit(context, dataset, "train", config);
  const empty = emptyClasses(set, dataset.info.classNames);
  if (empty.length === 0) return { set };
  return {
    set,
    warnings: [
      `There is no training image of ${listNames(empty)}: the classifier cannot learn these classes`,
    ],
  };
}
