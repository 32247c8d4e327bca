/**
 * Reads a job request, and checks it against the data set and the checkpoint that it names.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { DatasetInfo, DatasetRef, SplitName } from "../../data/datasets/dataset.ts";
import { inputShapeOf } from "../../data/images/imageShape.ts";
import { memoryLimitMessage } from "../../data/datasets/memoryLimit.ts";
import { fromWire } from "../../data/wire.ts";
import { checkStored } from "../../jobs/artifacts/readCheckpoint.ts";
import { listNames } from "../../jobs/artifacts/classMatch.ts";
import { classNamesOf } from "../../jobs/artifacts/classNames.ts";
import { JobFailure } from "../../jobs/failure.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { type Kind, type TrainedModel, trainedModel } from "../../jobs/kinds/kind.ts";
import { kindOf } from "../../jobs/kinds/mod.ts";
import type { JobRequest } from "../../jobs/requests/commonFields.ts";
import { trainingMemoryMessage } from "../../jobs/requests/memory.ts";
import { wireName } from "../../jobs/requests/modelFields.ts";
import { runLength, runLengthIssue } from "../../jobs/requests/runLength.ts";
import type { TrainingRequest } from "../../jobs/requests/trainingFields.ts";
import { resolveSource } from "../../jobs/store/creation/sources.ts";
import { adaptConfig } from "../../model/adapt/adaptConfig.ts";
import type { MaeConfig } from "../../model/config.ts";
import { readJson } from "../body/json.ts";
import { datasetProblem } from "../http/datasetProblem.ts";
import type { ApiLimits } from "../http/limits.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import { validate } from "../http/validation.ts";
import type { Services } from "../services.ts";
import { checkCheckpointSpace } from "./checkpointSpace.ts";

/** Reads the body of a request and fills in the defaults. @throws {ProblemError} for a body that is not valid */
export async function readJobRequest(
  request: Request,
  schema: z.ZodType<Record<string, unknown>>,
  limits: ApiLimits,
): Promise<JobRequest> {
  return fromWire(validate(schema, await readJson(request, limits))) as unknown as JobRequest;
}

/**
 * Resolves a request: replaces `job` by the job's checkpoint and fills in `epochs`.
 *
 * @throws {ProblemError} 422 naming the field, for a data set that does not exist, is too small, is too large or has no
 * labels, and for an impossible run length
 * @throws {SourceError} as `resolveSource` does
 */
export async function resolveJobRequest(services: Services, request: JobRequest): Promise<JobRequest> {
  const kind = kindOf(request.kind);
  const dataset = await datasetOf(services, request.dataset);
  const checkedRequest = kind.trains
    ? checkTraining(request as TrainingRequest, kind.trains, dataset)
    : checkSplits(request, kind.splits(request), dataset);
  const { request: started, source } = await resolveSource(services.jobs, checkedRequest, kind.sources);
  const resolved = source && kind.trains ? adaptedRequest(started, source, kind.trains) : started;
  const config = resolved.model ?? source?.config;
  if (config === undefined) return resolved;
  if (source !== null) {
    await withSourceField(
      request.job === undefined ? "checkpoint" : "job",
      () => checkSource(services, kind, resolved, source, config, dataset),
    );
  }
  checkImages(kind.splits(resolved), config, dataset, services.datasets.settings.maxSplitBytes);
  if (kind.trains) {
    await checkCheckpointSpace(services, resolved as TrainingRequest, kind.trains, config, dataset);
  }
  return resolved;
}

/** Replaces the changes of a request by the whole configuration of its model. @throws {ProblemError} 422 */
function adaptedRequest(
  { changes = {}, ...request }: JobRequest,
  source: Checkpoint,
  { model }: TrainedModel,
): JobRequest {
  const { config, issues } = adaptConfig(source, model, changes);
  if (issues.length === 0) return { ...request, model: config };
  const errors = issues.map(({ field, message }) => ({ path: `model.${wireName(field)}`, message }));
  throw new ProblemError(422, errors.map(({ path, message }) => `${path}: ${message}`).join("; "), {
    errors,
  });
}

/** Returns the description of the data set, with the number of training images that the request selects. */
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

function checkSplits(
  request: JobRequest,
  splits: readonly SplitName[],
  dataset: DatasetInfo,
): JobRequest {
  for (const split of splits) {
    if (dataset.splits[split].count > 0) continue;
    throw fieldProblem(422, "split", `must be a split with images: the data set has none in '${split}'`);
  }
  return request;
}

/** Checks a training request and fills in `epochs`. */
function checkTraining(
  request: TrainingRequest,
  { model }: TrainedModel,
  dataset: DatasetInfo,
): TrainingRequest {
  const { count } = dataset.splits.train;
  if (model === "classifier") checkLabels(request.kind, dataset);
  if (count === 0) throw fieldProblem(422, "dataset", "must have training images: it has none");
  if (request.dropLast && request.batchSize > count) {
    throw fieldProblem(
      422,
      "batch_size",
      `must not be above the ${count} training images while drop_last is true, or no batch is left: ` +
        `current value is ${request.batchSize}`,
    );
  }
  const length = runLength(request, count);
  const issue = runLengthIssue(request, length);
  if (issue) throw fieldProblem(422, issue.field, issue.message);
  return { ...request, epochs: length.epochs };
}

/** Checks that a classifier can be trained on a data set. */
function checkLabels(kind: string, { id, labelled, numClasses, classNames }: DatasetInfo): void {
  if (!labelled) throw fieldProblem(422, "dataset", `must have labels for ${kind}: '${id}' has none`);
  if (numClasses >= 2) return;
  const message = `must have at least two classes for a classifier: '${id}' has one, ${
    listNames(classNames)
  }`;
  throw fieldProblem(422, "dataset", message);
}

/** Rejects a run whose images, resized for the model, do not fit into memory. */
function checkImages(
  splitNames: readonly SplitName[],
  config: MaeConfig,
  { splits }: DatasetInfo,
  maxSplitBytes: number,
): void {
  const shape = inputShapeOf(config);
  for (const split of splitNames) {
    const message = memoryLimitMessage(splits[split].count, shape, maxSplitBytes);
    if (message) throw fieldProblem(422, "dataset", message);
  }
}

/** Runs a check of the source. @throws {ProblemError} 409 naming the field if the checkpoint is damaged or missing */
async function withSourceField(field: "job" | "checkpoint", check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (error instanceof JobFailure) throw fieldProblem(409, field, error.message);
    throw error;
  }
}

/** Checks a request against the checkpoint that it starts from. */
async function checkSource(
  { objects, limits }: Services,
  kind: Kind,
  request: JobRequest,
  source: Checkpoint,
  config: MaeConfig,
  dataset: DatasetInfo,
): Promise<void> {
  await checkStored(objects, source);
  if (kind.trains) {
    const { batchSize } = request as TrainingRequest;
    const model = trainedModel(kind.trains, config, dataset.numClasses);
    const message = trainingMemoryMessage(model, batchSize, limits.trainingBytes);
    if (message) throw fieldProblem(422, "batch_size", message);
  }
  if (kind.check === undefined) return;
  const classNames = await classNamesOf(objects, source);
  const issue = kind.check(request, { dataset, source, classNames });
  if (issue) throw fieldProblem(422, issue.field, issue.message);
}
