/**
 * The memory limit of a training step.
 *
 * @module
 */
import type { MaeConfig } from "../../model/config.ts";
import { trainingBytes } from "../../model/memory.ts";

/** Default limit of a training step's estimated memory, in bytes. It is the address space of WebAssembly. */
export const MAX_TRAINING_BYTES = 4 * 2 ** 30;

/**
 * Returns why a training step needs more memory than the limit, or null if it does not.
 *
 * @param masked false for a classifier
 */
export function trainingMemoryMessage(
  config: MaeConfig,
  batchSize: number,
  masked: boolean,
  maxBytes: number,
): string | null {
  const bytes = trainingBytes(config, batchSize, masked);
  if (bytes <= maxBytes) return null;
  const gib = (value: number) => `${(value / 2 ** 30).toFixed(1)} GiB`;
  return `a step would need about ${gib(bytes)}, and a job may use ${gib(maxBytes)}: ` +
    "choose a smaller batch_size or model";
}
