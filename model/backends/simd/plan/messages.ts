/**
 * The messages between the planner and its workers.
 *
 * @module
 */
import type { AdamWScalars } from "../../../ops/adamw.ts";
import type { Chunk } from "./chunks.ts";
import type { KernelCall } from "./compile.ts";
import type { MemoryLayout } from "./memoryLayout.ts";

/** The parameters that a worker updates. */
export interface OptimizerShare {
  /** Number of floats. */
  readonly size: number;
  /** Addresses of the first parameter of the share. */
  readonly param: number;
  readonly expAvg: number;
  readonly expAvgSq: number;
  /** Address in the gradients of the first worker. */
  readonly grad: number;
  /** Distance in bytes between the gradients of two workers. */
  readonly gradStride: number;
}

/** The first message to a worker. */
export interface StartMessage {
  readonly type: "start";
  readonly threads: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array<SharedArrayBuffer>;
  /** Weighted loss of each chunk; 0 for the chunks that a step does not have. */
  readonly losses: Float64Array<SharedArrayBuffer>;
  readonly share: OptimizerShare;
  /** The gradients of this worker. */
  readonly grads: { readonly address: number; readonly size: number };
}

/** A worker's program for chunks of `images` images. */
export interface ProgramMessage {
  readonly type: "program";
  readonly images: number;
  /** Calls that add to the gradients. */
  readonly calls: readonly KernelCall[];
  /** Calls that overwrite the gradients, for the first chunk of a step. */
  readonly overwritingCalls: readonly KernelCall[];
  /** Address of the feeds that the calls read. */
  readonly feeds: number;
  readonly feedBytes: number;
  readonly lossAddress: number;
  readonly weightAddress: number;
}

/** A chunk whose feeds are in memory. */
export interface FedChunk extends Chunk {
  /** Address of its feeds. */
  readonly feeds: number;
}

/** One training step. */
export interface StepMessage {
  readonly type: "step";
  /** Number of images of the whole batch. */
  readonly images: number;
  /** The chunks of this worker. */
  readonly chunks: readonly FedChunk[];
  readonly scalars: AdamWScalars;
}

/** A message to a worker. */
export type ToWorker = StartMessage | ProgramMessage | StepMessage;

/** A message from a worker. Every worker sends `ready`; the last one to complete a step sends `done`. */
export type FromWorker = { readonly type: "ready" | "done" } | {
  readonly type: "failed";
  readonly message: string;
};

/** Returns the share of a worker: whole cache lines, so that no line has two writers. */
export function optimizerShare(layout: MemoryLayout, index: number, threads: number): OptimizerShare {
  const { params, expAvg, expAvgSq, worker, workerStride, size } = layout;
  const boundary = (worker: number) => Math.floor(size / 16 * worker / threads) * 16;
  const first = boundary(index), offset = 4 * first;
  return {
    size: boundary(index + 1) - first,
    param: params + offset,
    expAvg: expAvg + offset,
    expAvgSq: expAvgSq + offset,
    grad: worker.grads + offset,
    gradStride: workerStride,
  };
}

/** Sums the losses of the chunks, in the planner and in the workers with the same rounding. */
export function stepLoss(losses: Float64Array): number {
  return losses.reduce((sum, loss) => sum + loss, 0);
}
