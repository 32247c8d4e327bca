/**
 * The object storage that the checkpoints of a job take.
 *
 * @module
 */
import type { MaeConfig } from "../../model/config.ts";
import { sizeOf } from "../../model/shape.ts";
import { type ModelShape, parameterSpecs } from "../../model/weights.ts";
import { checkpointSteps, type RunLength } from "../requests/runLength.ts";
import type { TrainingRequest } from "../requests/trainingFields.ts";

const FLOAT32_BYTES = 4;

/** Returns the estimated bytes of a checkpoint: the parameters, and two moments of each that is trained. */
export function checkpointBytes(config: MaeConfig, shape: ModelShape, freezeEncoder: boolean): number {
  let bytes = 0;
  for (const spec of parameterSpecs(config, shape)) {
    const isTrained = !freezeEncoder || spec.name.startsWith("head.");
    bytes += sizeOf(spec.shape) * FLOAT32_BYTES * (isTrained ? 3 : 1);
  }
  return bytes;
}

/** Returns the maximum number of a run's stored checkpoints: those that are kept, and the one being written. */
export function maxStoredCheckpoints(request: TrainingRequest, length: RunLength, kept: number): number {
  const written = Math.ceil(length.total / checkpointSteps(request, length));
  return Math.min(written, kept + 1);
}
