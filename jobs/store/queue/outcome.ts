/**
 * The outcome of a run, limited to what fits in the job's row.
 *
 * @module
 */
import { serialize } from "node:v8";
import type { JobTrigger } from "../../transitions.ts";
import type { RowTooLargeError } from "../kv/errors.ts";

/** The outcome of a run: the trigger of the job's next transition. */
export type Outcome = Extract<
  JobTrigger,
  { type: "succeeded" | "failed" | "cancelled" | "released" | "outage" | "crashed" }
>;

/** Maximum size of a job's result, in bytes as the database stores it (V8's structured clone). */
export const RESULT_BYTES = 32_768;
/** Maximum number of characters of an error's code and message. */
const CODE_LENGTH = 64, MESSAGE_LENGTH = 2000;

/** Returns the number of bytes that a result takes in the database. */
export function resultBytes(result: Readonly<Record<string, unknown>>): number {
  return serialize(result).length;
}

/** Shortens a long error, and replaces a result that is too large with an error. */
export function limitOutcome(outcome: Outcome): Outcome {
  if (outcome.type === "failed") {
    const { code, message } = outcome.error;
    const error = { code: code.slice(0, CODE_LENGTH), message: message.slice(0, MESSAGE_LENGTH) };
    return { type: "failed", error };
  }
  if (outcome.type !== "succeeded") return outcome;
  const bytes = resultBytes(outcome.result);
  if (bytes <= RESULT_BYTES) return outcome;
  const message = `The result has ${bytes} bytes: at most ${RESULT_BYTES} can be stored`;
  return { type: "failed", error: { code: "result_too_large", message } };
}

/** Returns the outcome of a run whose update does not fit in a row. Another attempt would fail in the same way. */
export function tooLargeOutcome({ message }: RowTooLargeError): Outcome {
  return { type: "failed", error: { code: "record_too_large", message } };
}
