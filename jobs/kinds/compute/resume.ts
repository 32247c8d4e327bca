/**
 * The resume point of an interrupted run: its newest readable checkpoint.
 *
 * @module
 */
import type { StoredState } from "../../../model/training/storedState.ts";
import { openState } from "../../artifacts/readCheckpoint.ts";
import type { Checkpoint } from "../../job.ts";
import { JobFailure } from "../../failure.ts";
import type { KindContext, KindEvent } from "../kind.ts";

/**
 * Opens the state of the newest readable checkpoint. If newer ones cannot be read, the runner records the fallback
 * before the run continues. An outage of storage does not count as damage, and its error is rethrown.
 *
 * @param freezeEncoder whether the optimiser has moments of the head only
 * @returns null for a run that begins at the start
 */
export async function* resume(
  { store, resumePoints }: Pick<KindContext, "store" | "resumePoints">,
  freezeEncoder: boolean,
): AsyncGenerator<KindEvent, { checkpoint: Checkpoint; state: StoredState } | null> {
  const damaged: { checkpoint: string; message: string }[] = [];
  for (const checkpoint of resumePoints) {
    let state: StoredState;
    try {
      state = await openState(store, checkpoint, freezeEncoder);
    } catch (error) {
      if (!(error instanceof JobFailure && error.code === "checkpoint_unreadable")) throw error;
      damaged.push({ checkpoint: checkpoint.id, message: error.message });
      continue;
    }
    if (damaged.length > 0) {
      yield { type: "fell_back", damaged, checkpoint: checkpoint.id, step: checkpoint.step };
    }
    return { checkpoint, state };
  }
  if (damaged.length > 0) yield { type: "fell_back", damaged, checkpoint: null, step: 0 };
  return null;
}
