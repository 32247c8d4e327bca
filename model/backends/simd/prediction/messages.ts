/**
 * The messages between the predictors of a process and their threads.
 *
 * @module
 */
import type { KernelCall } from "../plan/compile.ts";

/** Opens a model in a thread. */
export interface OpenMessage {
  readonly type: "open";
  readonly model: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
}

/** A thread's calls for chunks of one size. */
export interface Program {
  /** The calls in their order; null where another thread computes. */
  readonly calls: readonly (KernelCall | null)[];
  /** Whether the threads compute each chunk together. Each waits for the others after every call. */
  readonly together: boolean;
  /** Address of the feeds that the calls read. */
  readonly feeds: number;
  readonly feedBytes: number;
  /** Address of the output that the calls write. */
  readonly output: number;
  readonly outputBytes: number;
}

/** Adds a program to a model. */
export interface ProgramMessage extends Program {
  readonly type: "program";
  readonly model: number;
  readonly key: string;
}

/** A chunk of the images of a pass. */
export interface ChunkRun {
  /** Key of its program. */
  readonly program: string;
  /** Address of its inputs. */
  readonly input: number;
  /** Address of its results. */
  readonly output: number;
}

/** Runs chunks. */
export interface RunMessage {
  readonly type: "run";
  readonly model: number;
  readonly chunks: readonly ChunkRun[];
}

/** Closes a model, or removes its programs. */
export interface CloseMessage {
  readonly type: "close" | "forget";
  readonly model: number;
}

/** The first message to a thread. */
export interface StartMessage {
  readonly type: "start";
  readonly thread: number;
  readonly threads: number;
  readonly control: Int32Array<SharedArrayBuffer>;
}

/** A message to a thread. */
export type ToThread = StartMessage | OpenMessage | ProgramMessage | RunMessage | CloseMessage;

/** A message from a thread. Every thread sends `ready`; the last one to complete a run sends `done`. */
export type FromThread = { readonly type: "ready" | "done" } | {
  readonly type: "failed";
  readonly message: string;
};
