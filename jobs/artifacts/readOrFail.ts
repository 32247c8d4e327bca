/**
 * Checkpoints whose files are damaged or missing.
 *
 * @module
 */
import { ObjectNotFoundError } from "../../data/objects/store.ts";
import { SafetensorsError } from "../../data/safetensors/safetensors.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import { JobFailure } from "../failure.ts";
import type { Checkpoint } from "../job.ts";

/**
 * Calls `read` and turns damage and missing files into a failure of the job. The error of a storage outage is rethrown.
 *
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function readOrFail<T>(checkpoint: Pick<Checkpoint, "id">, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const isDamage = error instanceof WeightsError || error instanceof SafetensorsError;
    if (!isDamage && !(error instanceof ObjectNotFoundError)) throw error;
    const reason = isDamage ? error.message : "One of its files is missing in object storage";
    const message = `Cannot read checkpoint ${checkpoint.id}: ${reason}`;
    throw new JobFailure("checkpoint_unreadable", message, { cause: error });
  }
}
