/**
 * How a run ended, in a form that fits in the job's row.
 *
 * @module
 */
import { serialize } from "node:v8";
import type { RowTooLargeError } from "../kv/errors.ts";
import type { JobEventInput } from "../../transitions.ts";

/** How a run ended. */
export type Outcome = Extract<
  JobEventInput,
  { type: "succeeded" | "failed" | "cancelled" | "released" | "outage" }
>;

/** Largest result of a job, in bytes as the database stores it (V8's structured clone). */
export const RESULT_BYTES = 32_768;

/** Number of bytes that a result takes in the database. */
export function resultBytes(result: Readonly<Record<string, unknown>>): number {
  return serialize(result).length;
}

/** Limits an outcome to what fits in the job's row. */
export function fitting(outcome: Outcome): Outcome {
  if (outcome.type === "failed") {
    const { code, message } = outcome.error;
    return { type: "failed", error: { code: code.slice(0, 64), message: message.slice(0, 2000) } };
  }
  if (outcome.type !== "succeeded") return outcome;
  const bytes = resultBytes(outcome.result);
  if (bytes <= RESULT_BYTES) return outcome;
  const message = `The result has ${bytes} bytes: at most ${RESULT_BYTES} can be stored`;
  return { type: "failed", error: { code: "result_too_large", message } };
}

/** The outcome of a run whose update does not fit in a row. Another attempt would fail in the same way. */
export function tooLargeOutcome({ message }: RowTooLargeError): Outcome {
  return { type: "failed", error: { code: "record_too_large", message } };
}
