/**
 * Derives the outcome of a run from the last message about it.
 *
 * @module
 */
import type { Outcome } from "../store/queue/outcome.ts";
import { crashOutcome } from "./crash.ts";
import { outageError } from "./outageLimits.ts";
import type { LastRunMessage } from "./runProcess.ts";

/** Maximum number of characters of an error's message. */
const MESSAGE_LENGTH = 500;

/** The state of a run at its last message. */
export interface RunState {
  /** The result that the run emitted; null for none. */
  readonly result: Readonly<Record<string, unknown>> | null;
  /** Why the runner stopped the run; null if it did not. */
  readonly stopReason: "cancelled" | "released" | null;
  /** Time that earlier runs of the job waited in outages, in milliseconds. */
  readonly earlierOutageMs: number;
  /** Total length of outages after which the job fails, in milliseconds. */
  readonly limitMs: number;
}

/** Returns the outcome of a run. */
export function outcomeOf(last: LastRunMessage, state: RunState): Outcome {
  const { result, stopReason, earlierOutageMs, limitMs } = state;
  if (last.type === "ended" && result) return { type: "succeeded", result };
  if (stopReason) return { type: stopReason };
  switch (last.type) {
    case "ended":
      return { type: "failed", error: { code: "internal_error", message: "The run ended without a result" } };
    case "unavailable":
      return last.waitedMs + earlierOutageMs < limitMs
        ? { type: "outage", cause: last.message, waitedMs: last.waitedMs }
        : { type: "failed", error: outageError(last.message, limitMs) };
    case "failed": {
      const message = last.message.split("\n")[0].slice(0, MESSAGE_LENGTH);
      return { type: "failed", error: { code: last.code ?? "internal_error", message } };
    }
    case "crashed":
      return crashOutcome(last);
  }
}
