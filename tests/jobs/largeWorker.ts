/**
 * A worker that reports a checkpoint whose row is too large for the database.
 *
 * @module
 */
import type { FromWorker, ToWorker } from "../../jobs/runner/messages.ts";
import { checkpointOf } from "./fixtures.ts";

// deno-lint-ignore no-explicit-any -- the worker's global scope has no type of its own in Deno's window library
const scope = self as any;

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type !== "run") return;
  const checkpoint = checkpointOf(data.jobId, { classNames: ["x".repeat(70_000)] });
  const message: FromWorker = { type: "events", events: [{ type: "checkpoint", checkpoint }] };
  scope.postMessage(message);
};
