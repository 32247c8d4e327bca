/**
 * How much object storage the checkpoints of a job take.
 *
 * @module
 */
import type { MaeConfig } from "../../model/config.ts";
import { sizeOf } from "../../model/shape.ts";
import { type ModelShape, parameterSpecs } from "../../model/weights.ts";
import { checkpointSteps, type RunLength } from "../requests/runLength.ts";
import type { TrainingRequest } from "../requests/trainingFields.ts";

/** Bytes of a number in a checkpoint. */
const FLOAT32 = 4;

/** Estimated bytes of one checkpoint: the parameters, and two moments of each that is trained. */
export function checkpointBytes(config: MaeConfig, shape: ModelShape, freezeEncoder: boolean): number {
  let bytes = 0;
  for (const spec of parameterSpecs(config, shape)) {
    const isTrained = !freezeEncoder || spec.name.startsWith("head.");
    bytes += sizeOf(spec.shape) * FLOAT32 * (isTrained ? 3 : 1);
  }
  return bytes;
}

/** Most checkpoints of a run in storage at the same time: those that are kept, and the one being written. */
export function checkpointsAtOnce(request: TrainingRequest, length: RunLength, kept: number): number {
  const written = Math.ceil(length.total / checkpointSteps(request, length));
  return Math.min(written, kept + 1);
}
