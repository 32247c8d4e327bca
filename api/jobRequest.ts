/**
 * What a job request refers to, looked up and compared before the job is taken.
 *
 * @module
 */
import { type DatasetInfo, DatasetNotFoundError, type DatasetRef } from "../data/datasets/dataset.ts";
import { classesDiffer, matchClasses } from "../jobs/classes.ts";
import type { Checkpoint } from "../jobs/job.ts";
import { tooLarge } from "../jobs/memory.ts";
import type { JobRequest } from "../jobs/schemas.ts";
import { resolveSource } from "../jobs/sources.ts";
import type { Services } from "./environment.ts";
import { checkRatio } from "./maskRatio.ts";
import { fieldProblem } from "./problem.ts";

/**
 * The request with `job` replaced by the checkpoint it means.
 *
 * @throws {ProblemError} 422 naming the field that asks for a data set that is not there, too small or without labels
 * @throws {SourceError} as `resolveSource` does
 */
export async function resolveJobRequest(services: Services, request: JobRequest): Promise<JobRequest> {
  const ref: DatasetRef = request.dataset;
  const dataset = await datasetOf(services, ref.id);
  const trainCount = ref.size ?? dataset.splits.train.count;
  if (request.kind === "evaluate") {
    const count = request.split === "train" ? trainCount : dataset.splits.test.count;
    if (count === 0) throw fieldProblem(422, "split", `the data set has no picture in '${request.split}'`);
  } else {
    checkTraining(request, dataset, trainCount);
  }
  const resolved = await resolveSource(services.jobs, request);
  const id = resolved.kind === "pretrain" ? undefined : resolved.checkpoint;
  const source = id === undefined ? null : await services.jobs.getCheckpoint(id);
  if (source !== null) checkSource(resolved, source, dataset);
  return resolved;
}

async function datasetOf(services: Services, id: string): Promise<DatasetInfo> {
  try {
    return await services.datasets.info(id);
  } catch (error) {
    if (error instanceof DatasetNotFoundError) throw fieldProblem(422, "dataset", error.message);
    throw error;
  }
}

function checkTraining(
  request: Exclude<JobRequest, { kind: "evaluate" }>,
  dataset: DatasetInfo,
  trainCount: number,
): void {
  if (request.kind !== "pretrain" && !dataset.labelled) {
    throw fieldProblem(422, "dataset", `must have labels for ${request.kind}: '${dataset.id}' has none`);
  }
  if (trainCount === 0) throw fieldProblem(422, "dataset", "has no training picture");
  if (request.dropLast && request.batchSize > trainCount) {
    throw fieldProblem(
      422,
      "batch_size",
      `must not be above the ${trainCount} training pictures while drop_last is true, or no batch is left: ` +
        `current value is ${request.batchSize}`,
    );
  }
}

/** What can be known only once the checkpoint is. */
function checkSource(request: JobRequest, source: Checkpoint, dataset: DatasetInfo): void {
  if (request.kind === "evaluate") {
    if (source.model === "classifier") checkClassifier(request, source, dataset);
    else if (request.maskRatio !== undefined) checkRatio(source.config, request.maskRatio);
    return;
  }
  const fault = tooLarge(source.config, request.batchSize, false);
  if (fault) throw fieldProblem(422, "batch_size", fault);
}

function checkClassifier(
  request: Extract<JobRequest, { kind: "evaluate" }>,
  source: Checkpoint,
  dataset: DatasetInfo,
): void {
  if (request.maskRatio !== undefined) {
    throw fieldProblem(422, "mask_ratio", "is for masked autoencoders: this checkpoint is of a classifier");
  }
  if (!dataset.labelled) throw fieldProblem(422, "dataset", "must have labels to measure a classifier");
  const { unknown } = matchClasses(source.classNames, dataset.classNames);
  if (unknown) throw fieldProblem(422, "dataset", classesDiffer(source.classNames, unknown));
}
