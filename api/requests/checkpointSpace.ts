/**
 * Rejects a training job whose checkpoints do not fit into object storage.
 *
 * @module
 */
import type { DatasetInfo } from "../../data/datasets/dataset.ts";
import { checkpointBytes, maxStoredCheckpoints } from "../../jobs/artifacts/checkpointSize.ts";
import type { TrainedModel } from "../../jobs/kinds/kind.ts";
import { runLength } from "../../jobs/requests/runLength.ts";
import type { TrainingRequest } from "../../jobs/requests/trainingFields.ts";
import type { MaeConfig } from "../../model/config.ts";
import type { Architecture } from "../../model/weights.ts";
import type { Services } from "../services.ts";
import { fieldProblem } from "../http/problem.ts";

/**
 * Compares the estimated maximum size of the stored checkpoints with the limit and the free space.
 *
 * @throws {ProblemError} 422 naming `keep.last`, or naming the model if even one checkpoint is too large
 */
export async function checkCheckpointSpace(
  { objects, limits }: Services,
  request: TrainingRequest,
  { model, freezeEncoder }: TrainedModel,
  config: MaeConfig,
  { numClasses, splits }: DatasetInfo,
): Promise<void> {
  const architecture: Architecture = model === "mae" ? { model } : { model, classes: numClasses };
  const one = checkpointBytes(config, architecture, freezeEncoder);
  const length = runLength(request, splits.train.count);
  const bytes = one * maxStoredCheckpoints(request, length, request.keep.last);
  const free = await objects.freeBytes?.() ?? Infinity;
  const max = Math.min(free, limits.checkpointBytes);
  if (bytes <= max) return;
  const reason = free < limits.checkpointBytes
    ? `${formatBytes(free)} is free in object storage`
    : `a job may take ${formatBytes(max)} (UNMASK_MAX_CHECKPOINT_BYTES)`;
  const minBytes = one * maxStoredCheckpoints(request, length, 1);
  if (minBytes > max) {
    const field = request.checkpoint === undefined ? "model" : "checkpoint";
    throw fieldProblem(
      422,
      field,
      `is too large: its checkpoints take about ${formatBytes(minBytes)}, but ${reason}`,
    );
  }
  const message = `must be smaller: the checkpoints would take about ${formatBytes(bytes)}, but ${reason}`;
  throw fieldProblem(422, "keep.last", message);
}

const formatBytes = (bytes: number) =>
  bytes < 2 ** 30 ? `${Math.ceil(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
