/**
 * A worker that speaks as jobs/runner/worker.ts does and plays the script in the job's metadata instead of training:
 * words with commas between, played from the checkpoint on when there is one.
 *
 * @module
 */
import type { KindEvent } from "../../jobs/kinds/kind.ts";
import type { FromWorker, ToWorker } from "../../jobs/runner/messages.ts";
import { checkpointOf } from "./fixtures.ts";

// deno-lint-ignore no-explicit-any -- the worker's global scope has no type of its own in Deno's window library
const scope = self as any;
const tell = (message: FromWorker) => scope.postMessage(message);
const say = (event: KindEvent) => tell({ type: "events", events: [event] });
let recorded = () => {};

async function play(words: readonly string[], jobId: string, from: number, metadata: Record<string, string>) {
  const stepsPerEpoch = 10, totalSteps = words.filter((word) => word === "step").length;
  const backend = { name: "scripted", notes: [] };
  say({ type: "started", backend, totalSteps, stepsPerEpoch, step: from, parameters: 1 });
  let step = 0;
  for (const word of words) {
    if (word === "step") {
      step++;
      if (step <= from) continue;
      const epoch = Math.floor((step - 1) / stepsPerEpoch);
      say({ type: "step", step, epoch, loss: 1 / step, lr: 0.1, images: 4 });
    } else if (step < from || (step === from && from > 0 && word === "checkpoint")) continue;
    else if (word === "epoch") {
      say({ type: "epoch", epoch: 0, step, loss: 0.5, metrics: {} });
    } else if (word === "checkpoint") {
      const checkpoint = { ...checkpointOf(jobId, { step }), id: `ckpt_${jobId.slice(4, 24)}${step}` };
      const done = new Promise<void>((resolve) => recorded = resolve);
      say({ type: "checkpoint", checkpoint });
      await done;
    } else if (word === "hang") {
      await new Promise(() => {});
    } else if (word === "wait") {
      await new Promise((resolve) => setTimeout(resolve, 4_000));
    } else if (word === "busy") {
      while (true);
    } else if (word === "fail") {
      return tell({ type: "failed", code: "loss_not_finite", message: "The loss is NaN", stack: "at play" });
    } else if (word === "bug") {
      return tell({ type: "failed", code: null, message: "x is undefined\nat secret", stack: "the stack" });
    } else if (word === "crash") {
      setTimeout(() => {
        throw new Error("the worker fell over");
      });
      await new Promise(() => {});
    } else if (word === "once" && from === 0) await new Promise(() => {});
  }
  say({ type: "result", result: { steps: step, note: metadata.note ?? null } });
  tell({ type: "ended" });
}

scope.onmessage = ({ data }: MessageEvent<ToWorker>) => {
  if (data.type === "run") {
    const { jobId, request, resumeFrom } = data;
    const metadata = request.metadata as Record<string, string>;
    play(metadata.script.split(","), jobId, resumeFrom?.step ?? 0, metadata);
  } else if (data.type === "recorded") recorded();
  else tell({ type: "failed", code: null, message: "stopped", stack: "" });
};
