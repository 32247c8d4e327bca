/**
 * The training of a run, from the first step or from a checkpoint to the last step.
 *
 * @module
 */
import type { ImageSet } from "../../../data/datasets/dataset.ts";
import { type BatchOptions, epochBatches } from "../../../data/datasets/loader.ts";
import { nextRound, yieldToEventLoop } from "../../../data/eventLoop.ts";
import type { SelectedBackend } from "../../../model/backends/select.ts";
import { TrainingError } from "../../../model/training/error.ts";
import { type StoredState, storedState } from "../../../model/training/storedState.ts";
import { train, type TrainerEvent, type TrainOptions } from "../../../model/training/trainer.ts";
import { collectTensors, parameterCount, type TensorStream } from "../../../model/weights.ts";
import { JobFailure } from "../../failure.ts";
import {
  checkpointSteps,
  type RunLength,
  runLength,
  runLengthWarnings,
  warmupSteps,
} from "../../requests/runLength.ts";
import { RECIPE_DEFAULTS, type TrainingRequest } from "../../requests/trainingFields.ts";
import type { KindContext, KindEvent } from "../kind.ts";
import { type CheckpointSetup, CheckpointWriter, copyOfState } from "./checkpointWriter.ts";
import type { ProbeFeatures } from "./probeFeatures.ts";
import { resume } from "./resume.ts";

/** The model, the data and the backend of a training. */
export interface TrainingSetup extends CheckpointSetup {
  readonly freezeEncoder: boolean;
  readonly backend: SelectedBackend;
  readonly set: ImageSet;
  /** The features of the images, if the encoder is frozen. */
  readonly features?: ProbeFeatures;
  /** Warnings about the data. They are reported when the job starts, not when it resumes. */
  readonly warnings?: readonly string[];
  /** Returns how the model differs from its checkpoint. The sentences are reported when the job starts. */
  notes?(): Promise<readonly string[]>;
  /** Returns the first values of all parameters. It is not called when the run resumes. */
  initial(): Promise<TensorStream> | TensorStream;
}

/** The trained model. */
export interface TrainingResult {
  readonly state: StoredState;
  /** Id of the checkpoint of the state. */
  readonly checkpoint: string;
  /** Mean loss of the last epoch's steps. */
  readonly epochLoss: number;
}

/**
 * Trains a model with the recipe of the request, and writes its checkpoints.
 *
 * @throws {JobFailure} `no_batches`, `loss_not_finite`, `not_finite`, `out_of_memory` and others
 */
export async function* runTraining(
  context: KindContext<TrainingRequest>,
  setup: TrainingSetup,
): AsyncGenerator<KindEvent, TrainingResult> {
  const request: TrainingRequest = { ...RECIPE_DEFAULTS, ...context.request };
  const { signal } = context;
  const length = lengthOf(request, setup.set.count);
  const point = yield* resume(context, setup.freezeEncoder);
  const resumed = point?.state;
  // Only the state at the end is kept: each is three times as large as the model.
  let trained = resumed?.step === length.totalSteps ? resumed : undefined;
  const writer = new CheckpointWriter(context, setup);
  const { features } = setup;
  const weights = features ? await collectTensors(resumed?.weights() ?? await setup.initial()) : null;
  const options = {
    ...trainOptions(context, request, setup, length),
    ...(weights && { input: "features" as const, initial: () => weights }),
  };
  try {
    for await (const event of train(options, { resumeFrom: resumed, signal })) {
      if (event.type === "step" || event.type === "steps") yield event;
      else if (event.type === "epoch") yield { ...event, metrics: {} };
      else if (event.type === "ready") {
        yield* reportStart(request, setup, length, event, resumed);
        if (features && resumed?.step !== length.totalSteps) yield* features.open(weights!);
      } else {
        // The steps of a probe are short, so it continues while a checkpoint is written.
        yield* writer.begin(features ? { ...event, state: copyOfState(event.state) } : event);
        if (!features || event.final) yield* writer.finish();
        trained = event.final ? storedState(event.state) : undefined;
      }
      if (features) {
        yield* writer.poll();
        await nextRound();
      } else await yieldToEventLoop(20);
    }
  } catch (error) {
    // A checkpoint of an earlier step may still be written.
    if (!signal.aborted) yield* writer.finish();
    throw trainingFailure(error);
  } finally {
    await writer.settle();
  }
  const { step, epochLossSum } = trained!;
  const epochStart = Math.floor((step - 1) / length.stepsPerEpoch) * length.stepsPerEpoch;
  const epochLoss = epochLossSum / (step - epochStart);
  return { state: trained!, checkpoint: (writer.latest ?? point?.checkpoint.id)!, epochLoss };
}

/** Returns the length of a run. @throws {JobFailure} `no_batches` when an epoch has no batch */
function lengthOf(request: TrainingRequest, images: number): RunLength {
  const length = runLength(request, images);
  if (length.stepsPerEpoch > 0) return length;
  const message = `batch_size ${request.batchSize} is more than the ${images} training images: ` +
    `choose at most ${images}, or set drop_last to false`;
  throw new JobFailure("no_batches", message);
}

function trainOptions(
  { settings }: KindContext,
  request: TrainingRequest,
  { config, architecture, freezeEncoder, backend, set, features, initial }: TrainingSetup,
  length: RunLength,
): TrainOptions {
  const { batchSize, dropLast, seed } = request;
  const batches = (options: BatchOptions) =>
    features ? features.batches(options) : epochBatches(set, options);
  return {
    config,
    architecture,
    freezeEncoder,
    initial,
    optimizer: {
      weightDecay: request.weightDecay,
      betas: request.betas as [number, number],
      eps: request.eps,
    },
    schedule: {
      kind: request.schedule,
      lr: request.lr,
      minLr: request.minLr,
      warmupSteps: warmupSteps(request, length),
      totalSteps: length.totalSteps,
    },
    stepsPerEpoch: length.stepsPerEpoch,
    batchSize,
    threads: settings.compute.threads,
    maxBytes: settings.compute.maxBytes,
    planner: backend.planner,
    seed,
    checkpointSteps: checkpointSteps(request, length),
    batches: (epoch, startBatch) => batches({ batchSize, dropLast, seed, epoch, shuffle: true, startBatch }),
  };
}

async function* reportStart(
  request: TrainingRequest,
  setup: TrainingSetup,
  length: RunLength,
  { threads, note }: Extract<TrainerEvent, { type: "ready" }>,
  resumed: StoredState | undefined,
): AsyncGenerator<KindEvent, void> {
  const { config, architecture, backend: { name, vectorBits, notes }, set, warnings = [] } = setup;
  yield {
    type: "started",
    backend: { name, threads, vectorBits, notes: note ? [...notes, note] : notes },
    totalSteps: length.totalSteps,
    stepsPerEpoch: length.stepsPerEpoch,
    step: resumed?.step ?? 0,
    parameters: parameterCount(config, architecture),
  };
  if (resumed) return;
  for (const message of await setup.notes?.() ?? []) yield { type: "log", level: "info", message };
  for (const message of [...warnings, ...runLengthWarnings(request, length, set.count)]) {
    yield { type: "log", level: "warning", message };
  }
}

/** Converts an error that retrying cannot solve to a failure of the job. Returns any other error unchanged. */
function trainingFailure(error: unknown): unknown {
  return error instanceof TrainingError ? new JobFailure(error.code, error.message, { cause: error }) : error;
}
