/**
 * Falling back to an older checkpoint of a job because newer ones cannot be read.
 *
 * @module
 */
import type { NewEvent } from "../events/event.ts";
import type { Checkpoint, Fallback } from "../../job.ts";
import { keys } from "../rows/keys.ts";

/** Most damaged checkpoints that an event names and a commit marks. Jobs of earlier versions may have more. */
const NAMED = 20;

/** The event that names the damaged checkpoints and the one that is used. */
export function fallBackEvent({ damaged, checkpoint, step }: Fallback): NewEvent {
  const ids = damaged.slice(0, NAMED).map((entry) => entry.checkpoint);
  const more = damaged.length > NAMED ? ` and ${damaged.length - NAMED} more` : "";
  const from = checkpoint === null ? "the start: no checkpoint is whole" : `${checkpoint} at step ${step}`;
  const reason = damaged[0].message.slice(0, 500);
  const message = `Cannot resume from ${ids.join(", ")}${more}; the run continues from ${from}. ${reason}`;
  return { type: "log", level: "warning", message, data: { damaged: ids, checkpoint, step } };
}

/** Prepares the marks on the rows of damaged checkpoints. */
export async function damagedRows(
  kv: Deno.Kv,
  { damaged }: Fallback,
): Promise<(operation: Deno.AtomicOperation) => void> {
  const rows: Checkpoint[] = [];
  for (const { checkpoint, message } of damaged.slice(0, NAMED)) {
    const { value } = await kv.get<Checkpoint>(keys.checkpoint(checkpoint));
    if (value !== null) rows.push({ ...value, damage: message.slice(0, 500) });
  }
  return (operation) => {
    for (const row of rows) operation.set(keys.checkpoint(row.id), row);
  };
}
