/**
 * The module of a run's process. It reports a checkpoint whose row is too large for the database.
 *
 * @module
 */
import { connectToParentProcess } from "../../jobs/process/entry.ts";
import type { FromRun, ToRun } from "../../jobs/runner/messages.ts";
import { checkpointOf } from "./fixtures.ts";

const send = connectToParentProcess<ToRun, FromRun>((message) => {
  if (message.type !== "run") return;
  const checkpoint = checkpointOf(message.jobId, { classNames: ["x".repeat(70_000)] });
  send({ type: "events", events: [{ type: "checkpoint", checkpoint }] });
});
send({ type: "ready" });
