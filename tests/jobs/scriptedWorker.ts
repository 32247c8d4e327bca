/**
 * A worker that uses the messages of `jobs/runner/worker.ts`, and runs the script in the job's metadata instead of
 * training. A script is a list of commands separated by commas. A resumed run skips the commands before its checkpoint.
 *
 * @module
 */
import { pause } from "../../data/backoff.ts";
import type { KindEvent } from "../../jobs/kinds/kind.ts";
import type { FromWorker, ToWorker } from "../../jobs/runner/messages.ts";
import { checkpointOf } from "./fixtures.ts";

// deno-lint-ignore no-explicit-any -- the worker's global scope has no type of its own in Deno's window library
const scope = self as any;
const send = (message: FromWorker) => scope.postMessage(message);
const emit = (event: KindEvent) => send({ type: "events", events: [event] });
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
      setTimeout(() => {
        throw new Error("the worker crashed");
      });
      await new Promise(() => {});
    } else if (command === "hang_first_attempt" && resumeStep === 0) await new Promise(() => {});
  }
  emit({ type: "result", result: { steps: step, note: metadata.note ?? null } });
  send({ type: "ended" });
}

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "run") {
    const { jobId, request, resumePoints } = data;
    const metadata = request.metadata as Record<string, string>;
    run(metadata.script.split(","), jobId, resumePoints[0]?.step ?? 0, metadata);
  } else if (data.type === "recorded") recorded();
  else send({ type: "failed", code: null, message: "stopped", stack: "" });
};
