/**
 * The space that the checkpoints of a job need in object storage.
 *
 * @module
 */
import type { MaeConfig } from "../../model/config.ts";
import { sizeOf } from "../../model/shape.ts";
import { type Architecture, isTrainable, parameterSpecs } from "../../model/weights.ts";
import { checkpointSteps, type RunLength } from "../requests/runLength.ts";
import type { TrainingRequest } from "../requests/trainingFields.ts";

const FLOAT32_BYTES = 4;

/** Returns the estimated bytes of a checkpoint: all parameters, and two moments of each trainable one. */
export function checkpointBytes(
  config: MaeConfig,
  architecture: Architecture,
  freezeEncoder: boolean,
): number {
  return parameterSpecs(config, architecture).reduce(
    (bytes, { name, shape }) =>
      bytes + FLOAT32_BYTES * sizeOf(shape) * (isTrainable(name, freezeEncoder) ? 3 : 1),
    0,
  );
}

/** Returns the maximum number of a run's checkpoints in storage: those that are kept, and the one being written. */
export function maxStoredCheckpoints(request: TrainingRequest, length: RunLength, kept: number): number {
  const written = Math.ceil(length.totalSteps / checkpointSteps(request, length));
  return Math.min(written, kept + 1);
}
