/**
 * The rows and the event of a fallback: a job continues from an older checkpoint because newer ones are damaged.
 *
 * @module
 */
import type { Checkpoint, Fallback } from "../../job.ts";
import type { NewEvent } from "../events/event.ts";
import { type CommitPart, keys } from "../rows/keys.ts";

/**
 * Maximum number of damaged checkpoints that the event names and the commit marks. Jobs of earlier versions may have
 * more.
 */
const MAX_DAMAGED = 20;
/** Maximum number of characters of the reason that is stored. */
const REASON_LENGTH = 500;

/** Returns the event that names the damaged checkpoints and the checkpoint from which the job continues. */
export function fallbackEvent({ damaged, checkpoint, step }: Fallback): NewEvent {
  const ids = damaged.slice(0, MAX_DAMAGED).map((entry) => entry.checkpoint);
  const more = damaged.length > MAX_DAMAGED ? ` and ${damaged.length - MAX_DAMAGED} more` : "";
  const from = checkpoint === null ? "the start: no checkpoint is readable" : `${checkpoint} at step ${step}`;
  const reason = damaged[0].message.slice(0, REASON_LENGTH);
  const message = `Cannot resume from ${ids.join(", ")}${more}; the run continues from ${from}. ${reason}`;
  return { type: "log", level: "warning", message, data: { damaged: ids, checkpoint, step } };
}

/** Prepares the marks on the rows of damaged checkpoints. */
export async function damageMarks(kv: Deno.Kv, { damaged }: Fallback): Promise<CommitPart> {
  const rows: Checkpoint[] = [];
  for (const { checkpoint, message } of damaged.slice(0, MAX_DAMAGED)) {
    const { value } = await kv.get<Checkpoint>(keys.checkpoint(checkpoint));
    if (value !== null) rows.push({ ...value, damage: message.slice(0, REASON_LENGTH) });
  }
  return (operation) => {
    for (const row of rows) operation.set(keys.checkpoint(row.id), row);
  };
}
