/**
 * The module of a run's process. It uses the messages of `jobs/runner/runEntry.ts`, and runs the script in the job's
 * metadata instead of training. A script is a list of commands separated by commas. A resumed run skips the commands
 * before its checkpoint.
 *
 * @module
 */
import process from "node:process";
import { pause } from "../../data/backoff.ts";
import type { KindEvent } from "../../jobs/kinds/kind.ts";
import { connectToParentProcess } from "../../jobs/process/entry.ts";
import type { FromRun, ToRun } from "../../jobs/runner/messages.ts";
import { checkpointOf } from "./fixtures.ts";

const emit = (event: KindEvent) => send({ type: "events", events: [event] });
/** Waits until the earlier messages are written. */
const delivered = () =>
  new Promise((resolve) => process.send!({ type: "events", events: [] }, undefined, undefined, resolve));
let recorded = () => {};

const STEPS_PER_EPOCH = 10;

async function run(
  commands: readonly string[],
  jobId: string,
  resumeStep: number,
  metadata: Record<string, string>,
) {
  const totalSteps = commands.filter((command) => command === "step").length;
  const backend = { name: "scripted", notes: [] };
  emit({
    type: "started",
    backend,
    totalSteps,
    stepsPerEpoch: STEPS_PER_EPOCH,
    step: resumeStep,
    parameters: 1,
  });
  let step = 0;
  for (const command of commands) {
    if (command === "step") {
      step++;
      if (step <= resumeStep) continue;
      const epoch = Math.floor((step - 1) / STEPS_PER_EPOCH);
      emit({ type: "step", step, epoch, loss: 1 / step, lr: 0.1, images: 4 });
    } else if (
      step < resumeStep || (step === resumeStep && resumeStep > 0 && command === "checkpoint")
    ) continue;
    else if (command === "epoch") {
      emit({ type: "epoch", epoch: 0, step, loss: 0.5, metrics: {} });
    } else if (command === "checkpoint") {
      const checkpoint = { ...checkpointOf(jobId, { step }), id: `ckpt_${jobId.slice(4, 24)}${step}` };
      const done = new Promise<void>((resolve) => recorded = resolve);
      emit({ type: "checkpoint", checkpoint });
      await done;
    } else if (command === "hang") {
      await new Promise(() => {});
    } else if (command === "wait") {
      await pause(4_000);
    } else if (command === "block") {
      while (true);
    } else if (command === "fail") {
      return send({ type: "failed", code: "loss_not_finite", message: "The loss is NaN", stack: "at run" });
    } else if (command === "bug") {
      return send({ type: "failed", code: null, message: "x is undefined\nat secret", stack: "the stack" });
    } else if (command === "crash") {
      console.error("fatal: free(): invalid pointer");
      await delivered();
      process.abort();
    } else if (command === "kill_first_attempt") {
      if (resumeStep > 0) continue;
      await delivered();
      process.kill(process.pid, "SIGKILL");
    } else if (command === "report_pid") {
      emit({ type: "log", level: "info", message: `pid ${process.pid}` });
    } else if (command === "hang_first_attempt" && resumeStep === 0) await new Promise(() => {});
  }
  emit({ type: "result", result: { steps: step, note: metadata.note ?? null } });
  send({ type: "ended" });
}

const send = connectToParentProcess<ToRun, FromRun>((data) => {
  if (data.type === "run") {
    const { jobId, request, resumePoints } = data;
    const metadata = request.metadata as Record<string, string>;
    run(metadata.script.split(","), jobId, resumePoints[0]?.step ?? 0, metadata);
  } else if (data.type === "recorded") recorded();
  else send({ type: "failed", code: null, message: "stopped", stack: "" });
});
send({ type: "ready" });
