/**
 * The process of a run, as the runner sees it: messages in order, until the process ends.
 *
 * @module
 */
import { ChildProcess } from "../process/child.ts";
import { countOomKills } from "../process/oomKills.ts";
import { InterruptiblePause } from "./interruptiblePause.ts";
import type { Crash } from "./crash.ts";
import type { FromRun, LastMessage, ToRun } from "./messages.ts";

/** A message about the run. `crashed` is the last one if the process ended without a last message. */
export type RunMessage = Exclude<FromRun, { type: "ready" }> | Crash;
/** The last message about the run. */
export type LastRunMessage = LastMessage | Crash;

/** Options of a process. */
export interface RunProcessOptions {
  /** URL of its module. */
  readonly module: URL;
  readonly v8Flags: readonly string[];
  /** Receives each line that the process writes to its standard output or standard error. */
  readonly output: (line: string) => void;
}

/** Starts the process of a run, and buffers its messages in order. */
export class RunProcess {
  /** Resolves to null when the process is ready, and to the crash of one that ended before that. */
  readonly ready: Promise<Crash | null>;
  readonly #child: ChildProcess<ToRun, FromRun>;
  readonly #messages: RunMessage[] = [];
  readonly #idle = new InterruptiblePause();
  readonly #crash: Promise<Crash>;
  #output: (line: string) => void;
  #hasEnded = false;

  /** Starts the process. */
  constructor({ module, v8Flags, output }: RunProcessOptions) {
    this.#output = output;
    const ready = Promise.withResolvers<null>();
    const killsBefore = countOomKills();
    this.#child = new ChildProcess(module, {
      v8Flags,
      output: (line) => this.#output(line),
      message: (message) => {
        if (message.type === "ready") ready.resolve(null);
        else this.#receive(message);
      },
    });
    this.#crash = this.#child.exited.then(async (exit) => {
      this.#hasEnded = true;
      const before = await killsBefore, after = exit.signal === "SIGKILL" ? await countOomKills() : null;
      const crash: Crash = { type: "crashed", exit, outOfMemory: (after ?? 0) > (before ?? Infinity) };
      this.#receive(crash);
      return crash;
    });
    this.ready = Promise.race([ready.promise, this.#crash]);
  }

  /** Whether the process has ended. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Sets the receiver of the lines that the process writes. */
  set output(output: (line: string) => void) {
    this.#output = output;
  }

  /** Sends a message. It is dropped if the process has ended. */
  send(message: ToRun): void {
    this.#child.send(message);
  }

  /** Removes and returns the oldest buffered message. Undefined when there is none. */
  nextMessage(): RunMessage | undefined {
    return this.#messages.shift();
  }

  /** Waits until a message is buffered, {@linkcode wake} is called, or `ms` milliseconds have passed. */
  async waitForMessage(ms: number): Promise<void> {
    if (this.#messages.length === 0) await this.#idle.wait(ms);
  }

  /** Ends the wait for a message. */
  wake(): void {
    this.#idle.interrupt();
  }

  /** Asks the run to stop. A process that does not end in time is ended by SIGTERM, then by SIGKILL. */
  stop(): void {
    this.#child.stop({ type: "stop" });
  }

  /** Ends the process immediately. Resolves when it has ended. */
  async kill(): Promise<void> {
    await this.#child.kill();
  }

  #receive(message: RunMessage): void {
    this.#messages.push(message);
    this.wake();
  }
}
