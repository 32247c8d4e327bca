/**
 * A worker of a planned training. In a step it computes the gradients of its chunks, then updates its share of the
 * parameters.
 *
 * @module
 */
import { connectToParent } from "../../../training/threads.ts";
import { instantiate, type Kernels } from "../instance.ts";
import { barrier, complete, fail } from "./barrier.ts";
import { bindCalls, updateShare } from "./kernelCalls.ts";
import {
  type FromWorker,
  type ProgramMessage,
  type StartMessage,
  stepLoss,
  type StepMessage,
  type ToWorker,
} from "./messages.ts";

const post: (message: FromWorker) => void = connectToParent(handle);

let start: StartMessage;
let kernels: Kernels;
let bytes: Uint8Array<ArrayBufferLike>;
let floats: Float32Array<ArrayBufferLike>;

/** A program whose calls are bound to the kernels. */
interface BoundProgram extends ProgramMessage {
  readonly accumulate: readonly (() => void)[];
  readonly overwrite: readonly (() => void)[];
}

const programs = new Map<number, BoundProgram>();

/** Computes the gradients of this worker's chunks. */
function computeGradients({ chunks, images }: StepMessage): void {
  if (chunks.length === 0) kernels.zero(start.grads.address, start.grads.size);
  for (const [i, chunk] of chunks.entries()) {
    const program = programs.get(chunk.images)!, weight = chunk.images / images;
    bytes.copyWithin(program.feeds, chunk.feeds, chunk.feeds + program.feedBytes);
    floats[program.weightAddress / 4] = weight;
    for (const call of i === 0 ? program.overwrite : program.accumulate) call();
    start.losses[chunk.index] = floats[program.lossAddress / 4] * weight;
  }
}

/** Updates this worker's share of the parameters unless the loss is not finite. */
function updateParameters({ scalars }: StepMessage): void {
  const { losses, threads, share } = start;
  if (Number.isFinite(stepLoss(losses))) updateShare(kernels, share, threads, scalars);
}

function runStep(message: StepMessage): void {
  const { control, threads } = start;
  computeGradients(message);
  barrier(control, threads);
  updateParameters(message);
  if (complete(control, threads)) post({ type: "done" });
}

function initialize(message: StartMessage): void {
  start = message;
  kernels = instantiate(message.module, message.memory);
  bytes = new Uint8Array(message.memory.buffer);
  floats = new Float32Array(message.memory.buffer);
  post({ type: "ready" });
}

function addProgram(message: ProgramMessage): void {
  const accumulate = bindCalls(kernels, message.calls);
  programs.set(message.images, {
    ...message,
    accumulate,
    overwrite: bindCalls(kernels, message.overwritingCalls),
  });
}

function handle(message: ToWorker): void {
  try {
    if (message.type === "start") initialize(message);
    else if (message.type === "program") addProgram(message);
    else runStep(message);
  } catch (error) {
    if (start) fail(start.control);
    post({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  }
}
