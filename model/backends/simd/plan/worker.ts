/**
 * A thread of a planned step: runs its chunks, then its share of the optimiser.
 *
 * @module
 */
import { connectToParent } from "../../../training/threads.ts";
import { instantiate, type Kernels } from "../instance.ts";
import type { Call } from "./program.ts";
import {
  CONTROL,
  type FromWorker,
  type ProgramMessage,
  type StartMessage,
  stepLoss,
  type StepMessage,
  type ToWorker,
} from "./messages.ts";

const tell: (message: FromWorker) => void = connectToParent(hear);

/** Turns of looking before a worker sleeps at a barrier: about as long as waking takes. */
const SPINS = 2000;

let start: StartMessage;
let kernels: Kernels;
let bytes: Uint8Array<ArrayBufferLike>;
let values: Float32Array<ArrayBufferLike>;
const programs = new Map<number, ProgramMessage & { run: (() => void)[]; first: (() => void)[] }>();

/** Waits until every worker has come. @throws {Error} when one of them has failed */
function barrier(): void {
  const { control, threads } = start;
  const phase = Atomics.load(control, CONTROL.phase);
  if (Atomics.add(control, CONTROL.arrived, 1) === threads - 1) {
    Atomics.store(control, CONTROL.arrived, 0);
    Atomics.add(control, CONTROL.phase, 1);
    Atomics.notify(control, CONTROL.phase);
  } else {
    for (let i = 0; i < SPINS && Atomics.load(control, CONTROL.phase) === phase; i++);
    while (Atomics.load(control, CONTROL.phase) === phase) Atomics.wait(control, CONTROL.phase, phase);
  }
  if (Atomics.load(control, CONTROL.failed) === 1) throw new Error("Another thread has failed");
}

/** Forward and backward pass of this worker's images. */
function runChunks({ chunks, images }: StepMessage): void {
  // Nothing is left of the step before where there is nothing to do.
  if (chunks.length === 0) kernels.zero(start.grads.at, start.grads.size);
  for (const [i, chunk] of chunks.entries()) {
    const program = programs.get(chunk.images)!, weight = chunk.images / images;
    bytes.copyWithin(program.feeds, chunk.feeds, chunk.feeds + program.feedBytes);
    values[program.weightAt / 4] = weight;
    for (const call of i === 0 ? program.first : program.run) call();
    start.losses[chunk.index] = values[program.lossAt / 4] * weight;
  }
}

/** Moves this worker's share of the weights unless the loss is not finite. */
function update({ numbers }: StepMessage): void {
  const { losses, threads, share } = start;
  if (!Number.isFinite(stepLoss(losses))) return;
  const { decay, oneMinusBeta1, beta2, oneMinusBeta2, correction, eps, size: stepSize } = numbers;
  const { size, param, expAvg, expAvgSq, grad, apart } = share;
  kernels.adamw(
    ...[size, param, expAvg, expAvgSq, grad, threads, apart],
    ...[decay, oneMinusBeta1, beta2, oneMinusBeta2, correction, eps, stepSize],
  );
}

function step(message: StepMessage): void {
  const { control, threads } = start;
  runChunks(message);
  barrier();
  update(message);
  if (Atomics.add(control, CONTROL.ended, 1) === threads - 1) {
    Atomics.store(control, CONTROL.ended, 0);
    tell({ type: "ended" });
  }
}

function begin(message: StartMessage): void {
  start = message;
  kernels = instantiate(message.module, message.memory);
  bytes = new Uint8Array(message.memory.buffer);
  values = new Float32Array(message.memory.buffer);
  tell({ type: "ready" });
}

function take(message: ProgramMessage): void {
  // One call site for each call: what is called stays known to the compiler.
  const bound = (calls: readonly Call[]) =>
    calls.map(([name, ...numbers]) => {
      const kernel = kernels[name];
      return () => kernel(...numbers);
    });
  programs.set(message.images, { ...message, run: bound(message.calls), first: bound(message.firstCalls) });
}

function hear(data: ToWorker): void {
  try {
    if (data.type === "start") begin(data);
    else if (data.type === "program") take(data);
    else step(data);
  } catch (error) {
    if (start) {
      Atomics.store(start.control, CONTROL.failed, 1);
      Atomics.add(start.control, CONTROL.phase, 1);
      Atomics.notify(start.control, CONTROL.phase);
    }
    tell({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  }
}
