/**
 * What pre-training and training a classifier share: data, steps, checkpoints.
 *
 * @module
 */
import {
  type Dataset,
  DatasetError,
  DatasetNotFoundError,
  type ImageSet,
} from "../../data/datasets/dataset.ts";
import { epochBatches } from "../../data/datasets/loader.ts";
import { type ImagePreprocessing, resolvePreprocessing } from "../../data/images/preprocessing.ts";
import { BackendError } from "../../model/backends/backend.ts";
import { selectBackend, type SelectedBackend } from "../../model/backends/select.ts";
import { type MaeConfig } from "../../model/config.ts";
import { forwardBatch } from "../../model/memory.ts";
import type { TrainingBatch } from "../../model/training/objective.ts";
import { TrainingError } from "../../model/training/error.ts";
import { train, type TrainerState } from "../../model/training/trainer.ts";
import { encoderSpecs, type HostWeights, type ModelShape, parameterCount } from "../../model/weights.ts";
import { newCheckpointId, saveCheckpoint } from "../artifacts/checkpoints.ts";
import { checkpointKeys, objectKeysOf } from "../artifacts/objectKeys.ts";
import { resume } from "./resume.ts";
import {
  checkpointSteps,
  lengthWarnings,
  type RunLength,
  runLength,
  type TrainingRequest,
  warmupSteps,
} from "../requests/runLength.ts";
import { notFinite } from "./finite.ts";
import { JobFailure } from "../failure.ts";
import type { KindContext, KindEvent } from "./kind.ts";
import type { KindSettings } from "./settings.ts";

/** A split in the form of the model. */
export async function loadSplit(
  context: KindContext,
  dataset: Dataset,
  split: "train" | "test",
  config: MaeConfig,
): Promise<ImageSet> {
  const form = { imageSize: config.imageSize, channels: config.inChannels as 1 | 3 };
  return await datasetFailure(async () => await dataset.load(split, form, context.signal));
}

/** Calls `read` and turns an error of the data set into a failure. @throws {JobFailure} `dataset_unusable` */
export async function datasetFailure<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof DatasetError || error instanceof DatasetNotFoundError)) throw error;
    throw new JobFailure("dataset_unusable", error.message, { cause: error });
  }
}

/**
 * Selects the backend of the settings, by default the fastest that works.
 *
 * @param flops floating-point operations of a step
 * @throws {JobFailure} `no_backend`
 */
export async function chooseBackend(
  { compute }: KindSettings,
  flops: number,
): Promise<SelectedBackend> {
  try {
    const { backend, ...options } = compute;
    return await selectBackend(backend, { flops, ...options });
  } catch (error) {
    if (error instanceof BackendError) throw new JobFailure("no_backend", error.message, { cause: error });
    throw error;
  }
}

/** Lets messages in (a cancel, say) when the last turn is more than so many milliseconds ago. */
export function breather(everyMs = 20): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < everyMs) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}

/** Bytes that measuring may take for what a batch's forward pass holds. */
const MEASURING_BYTES = 2 ** 30;

/** Images of a batch that is measured: what was asked for, or as many as fit. @param masked false for a classifier */
export function measuredBatch(config: MaeConfig, batchSize: number, masked: boolean): number {
  return Math.min(batchSize, forwardBatch(config, MEASURING_BYTES, masked));
}

/** Batches of a split in their own order, for measuring. */
export function* inOrder(set: ImageSet, batchSize: number): Generator<TrainingBatch> {
  yield* epochBatches(set, { batchSize, dropLast: false, seed: 0, epoch: 0, shuffle: false });
}

/** The length of a run over `pictures` images. @throws {JobFailure} `no_batches` when an epoch has no batch */
function lengthOf(request: TrainingRequest, pictures: number): RunLength {
  const length = runLength(request, pictures);
  if (length.perEpoch > 0) return length;
  throw new JobFailure(
    "no_batches",
    `batch_size ${request.batchSize} is more than the ${pictures} training images: choose at most ${pictures}, or ` +
      "set drop_last to false",
  );
}

/** What is trained. */
export interface TrainingPlan {
  readonly config: MaeConfig;
  readonly shape: ModelShape;
  readonly classNames: readonly string[];
  readonly freezeEncoder: boolean;
  readonly backend: SelectedBackend;
  readonly set: ImageSet;
  /** How transparent and non-square images are prepared. */
  readonly rule: ImagePreprocessing;
  /** Warnings about the data or the request. They are reported when the job starts, not when it resumes. */
  readonly warnings?: readonly string[];
  /** First values of every parameter; not asked for when resuming. */
  initial(): Promise<HostWeights> | HostWeights;
}

/**
 * Trains by the request and tells of it.
 *
 * @returns the state at the end and the id of its checkpoint
 */
export async function* runTraining(
  context: KindContext<TrainingRequest>,
  plan: TrainingPlan,
): AsyncGenerator<KindEvent, { state: TrainerState; checkpoint: string; epochLoss: number }> {
  const { request, store, signal, jobId } = context;
  const { config, shape, freezeEncoder, set } = plan;
  const steps = lengthOf(request, set.count);
  const trained = (name: string) => !freezeEncoder || name.startsWith("head.");
  const point = yield* resume(context, trained);
  const resumed = point?.state;
  const events = train({
    config,
    shape,
    freezeEncoder,
    initial: () => plan.initial(),
    optimizer: {
      weightDecay: request.weightDecay,
      betas: request.betas as [number, number],
      eps: request.eps,
    },
    schedule: {
      kind: request.schedule,
      lr: request.lr,
      minLr: request.minLr,
      warmupSteps: warmupSteps(request, steps),
      totalSteps: steps.total,
    },
    stepsPerEpoch: steps.perEpoch,
    batchSize: request.batchSize,
    threads: context.settings.compute.threads,
    startThread: context.startThread,
    planner: plan.backend.planner,
    seed: request.seed,
    checkpointSteps: checkpointSteps(request, steps),
    batches: (epoch, startBatch) =>
      epochBatches(set, {
        batchSize: request.batchSize,
        dropLast: request.dropLast,
        seed: request.seed,
        epoch,
        shuffle: true,
        startBatch,
      }),
  }, { resumeFrom: resumed, signal });
  const breathe = breather();
  // Only the last state is wanted at the end: each is three times the model.
  let last = { state: resumed?.step === steps.total ? resumed : undefined, checkpoint: point?.checkpoint.id };
  try {
    for await (const event of events) {
      if (event.type === "step") yield event;
      else if (event.type === "ready") {
        const { name, notes } = plan.backend;
        yield {
          type: "started",
          backend: { name, threads: event.threads, notes: event.note ? [...notes, event.note] : notes },
          totalSteps: steps.total,
          stepsPerEpoch: steps.perEpoch,
          step: resumed?.step ?? 0,
          parameters: parameterCount(config, shape),
        };
        if (resumed) continue;
        for (const message of [...plan.warnings ?? [], ...lengthWarnings(request, steps, set.count)]) {
          yield { type: "log", level: "warning", message };
        }
      } else if (event.type === "epoch") yield { ...event, metrics: {} };
      else {
        const { state, epoch, final, loss } = event;
        checkWeightsFinite(state);
        const content = {
          jobId,
          config,
          shape,
          classNames: plan.classNames,
          state,
          epoch,
          final,
          metrics: { loss },
        };
        const id = newCheckpointId();
        yield { type: "saving", objectKeys: objectKeysOf(checkpointKeys(id)) };
        const checkpoint = await saveCheckpoint(store, content, id);
        yield { type: "checkpoint", checkpoint: { ...checkpoint, rule: resolvePreprocessing(plan.rule) } };
        last = { state: final ? state : undefined, checkpoint: checkpoint.id };
      }
      await breathe();
    }
  } catch (error) {
    if (error instanceof TrainingError) throw new JobFailure(error.code, error.message, { cause: error });
    if (error instanceof WebAssembly.RuntimeError) {
      const message =
        "A step needs more memory than WebAssembly can address: choose a smaller batch_size or model";
      throw new JobFailure("out_of_memory", message, { cause: error });
    }
    throw error;
  }
  const state = last.state!;
  const epochStart = Math.floor((state.step - 1) / steps.perEpoch) * steps.perEpoch;
  return { state, checkpoint: last.checkpoint!, epochLoss: state.epochLossSum / (state.step - epochStart) };
}

/** @throws {JobFailure} `not_finite` for a state whose weights could not be read back as a model */
function checkWeightsFinite({ step, weights }: TrainerState): void {
  for (const [name, { data }] of weights) {
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at !== -1) throw notFinite(`A weight of '${name}' is ${data[at]} after step ${step}`);
  }
}

/** The encoder's parameters among a model's. */
export function encoderOf(weights: HostWeights, config: MaeConfig): HostWeights {
  return new Map(encoderSpecs(config).map(({ name }) => [name, weights.get(name)!]));
}
