/**
 * How much memory a job may ask for.
 *
 * @module
 */
import { type MaeConfig, trainingBytes } from "../../model/config.ts";

/** Estimated bytes of a step that are given to a job unless the environment says otherwise: what WebAssembly can address. */
const MOST_BYTES = 4 * 2 ** 30;

/** Most estimated bytes of a training step: `UNMASK_MAX_TRAINING_BYTES`, where it is a number. */
function mostBytes(): number {
  const set = Deno.env.get("UNMASK_MAX_TRAINING_BYTES") ?? "";
  return /^\d{1,15}$/.test(set) ? Number(set) : MOST_BYTES;
}

/**
 * Why a training step would be too large; null when it would not.
 *
 * @param masked false for a classifier
 */
export function tooLarge(config: MaeConfig, batchSize: number, masked: boolean): string | null {
  const bytes = trainingBytes(config, batchSize, masked), most = mostBytes();
  if (bytes <= most) return null;
  const gib = (value: number) => `${(value / 2 ** 30).toFixed(1)} GiB`;
  return `a step would need about ${gib(bytes)}, at most ${
    gib(most)
  } are given to a job: choose a smaller batch_size ` +
    "or model";
}
