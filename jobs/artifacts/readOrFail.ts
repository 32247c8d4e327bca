/**
 * Turns damaged or missing files of a checkpoint into a failure of the job.
 *
 * @module
 */
import { ObjectNotFoundError } from "../../data/objects/store.ts";
import { SafetensorsError } from "../../data/safetensors/safetensors.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import { JobFailure } from "../failure.ts";
import type { Checkpoint } from "../job.ts";

/**
 * Calls `read`. An outage of storage is rethrown, because retrying may help.
 *
 * @throws {JobFailure} `checkpoint_unreadable` when a file is damaged or missing
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

/** Yields the items of a stream. @throws {JobFailure} `checkpoint_unreadable` when a file is damaged or missing */
export async function* yieldOrFail<T>(
  checkpoint: Pick<Checkpoint, "id">,
  stream: AsyncIterable<T>,
): AsyncGenerator<T, void> {
  try {
    yield* stream;
  } catch (error) {
    await readOrFail(checkpoint, () => Promise.reject(error));
  }
}
