/**
 * The memory limit of a training step.
 *
 * @module
 */
import { formatGib, type TrainableModel, trainingBytes } from "../../model/memory.ts";

/** Default limit of a training step's memory, in bytes: the address space of a WebAssembly memory. */
export const MAX_TRAINING_BYTES = 16 * 2 ** 30;

/** Returns why a training step needs more memory than the limit, and what would fit, or null if it does not. */
export function trainingMemoryMessage(
  model: TrainableModel,
  batchSize: number,
  maxBytes: number,
): string | null {
  const bytes = trainingBytes(model, batchSize);
  if (bytes <= maxBytes) return null;
  const bytesOfOne = trainingBytes(model, 1), perImage = trainingBytes(model, 2) - bytesOfOne;
  const largest = 1 + Math.floor((maxBytes - bytesOfOne) / perImage);
  const advice = largest > 0
    ? `choose a smaller batch_size (at most ${largest}) or model`
    : `choose a smaller model, because batch_size 1 needs ${formatGib(bytesOfOne)}`;
  return `a step would need ${formatGib(bytes)} of memory, and a job may use ${formatGib(maxBytes)} ` +
    `(UNMASK_MAX_TRAINING_BYTES): ${advice}`;
}
