/**
 * What the planner and its workers say to each other, and where they meet in shared memory.
 *
 * @module
 */
import type { AdamWNumbers } from "../../../ops/adamw.ts";
import type { Call } from "./program.ts";

/** Places in the shared control block. */
export const CONTROL = {
  /** Workers that have come to the barrier. */
  arrived: 0,
  /** Barriers passed. */
  phase: 1,
  /** Workers that have ended the step. */
  ended: 2,
  /** 1 when a worker has failed: nobody waits for it. */
  failed: 3,
} as const;

/** Number of values of the control block. */
export const CONTROL_LENGTH = 4;

/** The optimiser's part of a worker. */
export interface Share {
  /** Number of values. */
  readonly size: number;
  /** Addresses of the first of them. */
  readonly param: number;
  readonly expAvg: number;
  readonly expAvgSq: number;
  readonly grad: number;
  /** Distance in bytes between the workers' gradients. */
  readonly apart: number;
}

/** A worker's beginning. */
export interface StartMessage {
  readonly type: "start";
  readonly index: number;
  readonly threads: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array<SharedArrayBuffer>;
  /** Loss of each chunk, weighted; 0 for chunks that a step does not have. */
  readonly losses: Float64Array<SharedArrayBuffer>;
  readonly share: Share;
  /** Address and number of the values of this worker's own gradients. */
  readonly grads: { readonly at: number; readonly size: number };
}

/** A worker's program for so many images. */
export interface ProgramMessage {
  readonly type: "program";
  readonly images: number;
  readonly calls: readonly Call[];
  /** The same for the first part of a step, which finds nothing in the gradients. */
  readonly firstCalls: readonly Call[];
  readonly feeds: number;
  readonly feedBytes: number;
  readonly lossAt: number;
  readonly weightAt: number;
}

/** Some images of a step. */
export interface Chunk {
  /** Its place among the step's chunks. */
  readonly index: number;
  readonly first: number;
  readonly images: number;
  /** Address of its feeds. */
  readonly feeds: number;
}

/** One step. */
export interface StepMessage {
  readonly type: "step";
  /** Images of the whole batch. */
  readonly images: number;
  /** This worker's chunks. */
  readonly chunks: readonly Chunk[];
  readonly numbers: AdamWNumbers;
}

/** To a worker. */
export type ToWorker = StartMessage | ProgramMessage | StepMessage;

/** From a worker: `ended` comes from the last one of a step. */
export type FromWorker = { readonly type: "ready" | "ended" } | {
  readonly type: "failed";
  readonly message: string;
};

/** Loss of a step: the planner and its workers must find the same, to the last bit. */
export function stepLoss(losses: Float64Array): number {
  return losses.reduce((sum, loss) => sum + loss, 0);
}
