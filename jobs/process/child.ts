/**
 * A child process that runs a module of ours and exchanges messages with this process.
 *
 * A crash, an abort in native code or an out-of-memory kill of the child does not end this process. Messages are
 * structured-cloned, so typed arrays are allowed; they are copied, not shared.
 *
 * @module
 */
import { type ChildProcess as NodeProcess, fork } from "node:child_process";
import type { Readable } from "node:stream";
import { LastLines } from "./lastLines.ts";

/** How a child ended. */
export interface ChildExit {
  /** Exit code; null if a signal ended the child or it could not be started. */
  readonly code: number | null;
  /** The signal that ended the child, such as `SIGKILL`; null for none. */
  readonly signal: string | null;
  /** The last lines that the child wrote to its standard error and standard output. */
  readonly lastOutput: readonly string[];
  /** The signal that {@linkcode ChildProcess} sent last; null if it sent none. */
  readonly sentSignal: "SIGTERM" | "SIGKILL" | null;
}

/** Options of a child. */
export interface ChildOptions<From> {
  /** Flags of V8, such as `--no-wasm-bounds-checks`. An unknown flag ends the child at once with exit code 1. */
  readonly v8Flags?: readonly string[];
  /** Called with each message of the child, in order, and never after {@linkcode ChildProcess.exited} has resolved. */
  readonly message: (message: From) => void;
  /** Called with each line that the child writes to its standard output or standard error. */
  readonly output?: (line: string) => void;
}

/** Times of the stop ladder, in milliseconds. */
export interface StopLadder {
  /** From the message to SIGTERM. */
  readonly termMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly killMs: number;
}

/** The default ladder: one second for the message, half a second for SIGTERM. */
export const STOP_LADDER: StopLadder = { termMs: 1_000, killMs: 500 };

/** Time for the messages and the output of an ended child to arrive, in milliseconds. */
const DRAIN_MS = 1_000;
/**
 * The same after a signal. A child that was killed before it read its last message leaves a channel that Deno never
 * closes, so this time passes in full.
 */
const KILLED_DRAIN_MS = 50;

/** A child process. `To` and `From` are the types of the messages to the child and from it. */
export class ChildProcess<To, From> {
  /** Resolves when the child has ended and its messages and output have arrived. Never rejects. */
  readonly exited: Promise<ChildExit>;
  readonly #process: NodeProcess;
  readonly #lines: LastLines;
  #sentSignal: ChildExit["sentSignal"] = null;
  #hasExited = false;
  #stopped: Promise<ChildExit> | undefined;

  /** Starts the child. @param module URL of its module, which calls `connectToParentProcess` of `entry.ts` */
  constructor(module: URL, { v8Flags = [], message, output }: ChildOptions<From>) {
    this.#lines = new LastLines(output);
    const child = fork(module, [], {
      execArgv: [...v8Flags],
      serialization: "advanced",
      // The standard input of the child ends with this process.
      stdio: ["pipe", "pipe", "pipe", "ipc"],
    });
    this.#process = child;
    // The streams do not exist if the child could not be started, such as for lack of file descriptors.
    for (const stream of [child.stdout, child.stderr]) if (stream) this.#read(stream);
    child.stdin?.on("error", () => {});
    let isOver = false;
    child.on("message", (data) => {
      if (!isOver) message(data as From);
    });
    this.exited = this.#ended().then((exit) => {
      isOver = true;
      return exit;
    });
  }

  /** Id of the child's process; undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Sends a message. It is dropped if the child has ended. */
  send(message: To): void {
    if (this.#process.connected) this.#process.send(message as object, () => {});
  }

  /**
   * Ends the child by the stop ladder: a message, after a time SIGTERM, after a time SIGKILL. Later calls return the
   * same promise.
   *
   * @param message the message on which the child ends itself; without one the ladder begins with SIGTERM
   */
  stop(message?: To, { termMs, killMs }: StopLadder = STOP_LADDER): Promise<ChildExit> {
    return this.#stopped ??= (async () => {
      if (message !== undefined) {
        this.send(message);
        if (await this.#endsWithin(termMs)) return await this.exited;
      }
      this.#signal("SIGTERM");
      if (!await this.#endsWithin(killMs)) this.#signal("SIGKILL");
      return await this.exited;
    })();
  }

  /** Ends the child immediately. */
  kill(): Promise<ChildExit> {
    this.#signal("SIGKILL");
    return this.exited;
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.#process;
    if (this.#hasExited || pid === undefined) return;
    this.#sentSignal = signal;
    try {
      // The method `kill` of Deno's `fork` sends only the first of two signals.
      Deno.kill(pid, signal);
    } catch {
      // The process has ended, and its exit is about to be reported.
    }
  }

  async #endsWithin(ms: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(() => resolve(false), ms);
    try {
      return await Promise.race([promise, this.exited.then(() => true)]);
    } finally {
      clearTimeout(timer);
    }
  }

  #read(stream: Readable): void {
    const decoder = new TextDecoder(), lines = this.#lines.stream();
    stream.on("data", (bytes: Uint8Array) => lines.add(decoder.decode(bytes, { stream: true })));
    stream.on("end", () => lines.end());
    stream.on("error", () => {});
  }

  async #ended(): Promise<ChildExit> {
    const child = this.#process;
    const { promise, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
    const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
    child.once("exit", (code, signal) => resolve({ code, signal }));
    // Errors of a running child, such as a signal that cannot be sent, are followed by its exit.
    child.on("error", (error) => {
      if (child.pid !== undefined) return;
      this.#lines.add(error.message);
      resolve({ code: null, signal: null });
    });
    const { code, signal } = await promise;
    this.#hasExited = true;
    // The exit can be reported before the last messages and the end of the output.
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (child.pid !== undefined) {
      const withinMs = signal === null ? DRAIN_MS : KILLED_DRAIN_MS;
      await Promise.race([closed, new Promise<void>((resolve) => timer = setTimeout(resolve, withinMs))]);
    }
    clearTimeout(timer);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
    if (child.connected) child.disconnect();
    return { code, signal, lastOutput: this.#lines.last(), sentSignal: this.#sentSignal };
  }
}
