/**
 * What a job request refers to, looked up and compared before the job is taken.
 *
 * @module
 */
import type { DatasetInfo, DatasetRef } from "../../data/datasets/dataset.ts";
import { memoryLimitMessage } from "../../data/datasets/memoryLimit.ts";
import { checkStored } from "../../jobs/artifacts/checkpoints.ts";
import { classesDiffer, listNames, matchClasses } from "../../jobs/artifacts/classes.ts";
import { classNamesOf } from "../../jobs/artifacts/classNames.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { JobFailure } from "../../jobs/failure.ts";
import { tooLarge } from "../../jobs/requests/memory.ts";
import { lengthFault, runLength, type TrainingRequest } from "../../jobs/requests/runLength.ts";
import type { JobRequest } from "../../jobs/requests/schemas.ts";
import { resolveSource } from "../../jobs/store/creation/sources.ts";
import type { MaeConfig } from "../../model/config.ts";
import { checkCheckpointSpace } from "./checkpointSpace.ts";
import type { Services } from "../http/context.ts";
import { checkRatio } from "./maskRatio.ts";
import { datasetProblem } from "../http/datasetProblem.ts";
import { fieldProblem } from "../http/problem.ts";

/**
 * Resolves a request: replaces `job` with the job's checkpoint and fills in `epochs`.
 *
 * @throws {ProblemError} 422 naming the field, for a data set that does not exist, is too small or too large or has no
 * labels, and for a run that is not possible
 * @throws {SourceError} as `resolveSource` does
 */
export async function resolveJobRequest(services: Services, request: JobRequest): Promise<JobRequest> {
  const dataset = await datasetOf(services, request.dataset);
  const checked = request.kind === "evaluate"
    ? checkSplit(request, dataset)
    : checkTraining(request, dataset);
  const resolved = await resolveSource(services.jobs, checked);
  const id = resolved.kind === "pretrain" ? undefined : resolved.checkpoint;
  const source = id === undefined ? null : await services.jobs.getCheckpoint(id);
  if (source !== null) {
    await readable(
      "job" in request && request.job !== undefined ? "job" : "checkpoint",
      () => checkSource(services, resolved, source, dataset),
    );
  }
  const config = source?.config ?? (resolved.kind === "evaluate" ? undefined : resolved.model);
  if (config !== undefined) checkImages(resolved, config, dataset, services.datasets.settings.maxSplitBytes);
  if (config !== undefined && resolved.kind !== "evaluate") {
    await checkCheckpointSpace(services, resolved, config, dataset);
  }
  return resolved;
}

/** Describes the data set, with the number of training images that the request selects. */
async function datasetOf(services: Services, ref: DatasetRef): Promise<DatasetInfo> {
  try {
    const info = await services.datasets.verify(ref.id);
    return ref.size === undefined
      ? info
      : { ...info, splits: { ...info.splits, train: { count: ref.size } } };
  } catch (error) {
    throw datasetProblem(error, "dataset");
  }
}

function checkSplit(
  request: Extract<JobRequest, { kind: "evaluate" }>,
  { splits }: DatasetInfo,
): JobRequest {
  if (splits[request.split].count > 0) return request;
  throw fieldProblem(422, "split", `the data set has no image in '${request.split}'`);
}

/** Checks a training request and fills in `epochs`. */
function checkTraining(request: TrainingRequest, dataset: DatasetInfo): JobRequest {
  const { count } = dataset.splits.train;
  if (request.kind !== "pretrain" && !dataset.labelled) {
    throw fieldProblem(422, "dataset", `must have labels for ${request.kind}: '${dataset.id}' has none`);
  }
  if (request.kind !== "pretrain" && dataset.numClasses < 2) {
    throw fieldProblem(
      422,
      "dataset",
      `must have at least two classes for a classifier: '${dataset.id}' has one, ${
        listNames(dataset.classNames)
      }`,
    );
  }
  if (count === 0) throw fieldProblem(422, "dataset", "has no training image");
  if (request.dropLast && request.batchSize > count) {
    throw fieldProblem(
      422,
      "batch_size",
      `must not be above the ${count} training images while drop_last is true, or no batch is left: ` +
        `current value is ${request.batchSize}`,
    );
  }
  const length = runLength(request, count);
  const fault = lengthFault(request, length);
  if (fault) throw fieldProblem(422, fault.field, fault.message);
  return { ...request, epochs: length.epochs };
}

/** Rejects a run whose images, resized for the model, do not fit into memory. */
function checkImages(
  request: JobRequest,
  config: MaeConfig,
  { splits }: DatasetInfo,
  maxSplitBytes: number,
): void {
  const form = { imageSize: config.imageSize, channels: config.inChannels as 1 | 3 };
  const read = request.kind === "evaluate"
    ? [request.split]
    : request.kind === "pretrain"
    ? ["train" as const]
    : ["train" as const, "test" as const];
  for (const split of read) {
    const fault = memoryLimitMessage(splits[split].count, form, maxSplitBytes);
    if (fault) throw fieldProblem(422, "dataset", fault);
  }
}

/** Runs a check of a checkpoint. @throws {ProblemError} 409 naming the field if the checkpoint is damaged or missing */
async function readable(field: "job" | "checkpoint", check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (error instanceof JobFailure) throw fieldProblem(409, field, error.message);
    throw error;
  }
}

/** What can be known only once the checkpoint is. */
async function checkSource(
  { objects, limits }: Services,
  request: JobRequest,
  source: Checkpoint,
  dataset: DatasetInfo,
): Promise<void> {
  await checkStored(objects, source);
  if (request.kind === "evaluate") {
    if (source.model === "classifier") checkClassifier(request, await classNamesOf(objects, source), dataset);
    else if (request.maskRatio !== undefined) checkRatio(source.config, request.maskRatio);
    return;
  }
  const fault = tooLarge(source.config, request.batchSize, false, limits.trainingBytes);
  if (fault) throw fieldProblem(422, "batch_size", fault);
}

function checkClassifier(
  request: Extract<JobRequest, { kind: "evaluate" }>,
  classNames: readonly string[],
  dataset: DatasetInfo,
): void {
  if (request.maskRatio !== undefined) {
    throw fieldProblem(422, "mask_ratio", "is for masked autoencoders: this checkpoint is of a classifier");
  }
  if (!dataset.labelled) throw fieldProblem(422, "dataset", "must have labels to measure a classifier");
  const { unknown } = matchClasses(classNames, dataset.classNames);
  if (unknown) throw fieldProblem(422, "dataset", classesDiffer(classNames, unknown));
}
