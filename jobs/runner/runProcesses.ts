/**
 * The processes of a runner's runs. One process is kept ready as a spare, so that a run starts without a wait.
 *
 * @module
 */
import { RunProcess } from "./runProcess.ts";

/** Options of {@linkcode RunProcesses}. */
export interface RunProcessesOptions {
  /** URL of the module of a run's process. */
  readonly module: URL;
  /** Receives lines that a process writes while it has no run. */
  readonly log: (line: string) => void;
}

/** Starts the processes of runs ahead of time. */
export class RunProcesses {
  readonly #options: RunProcessesOptions;
  #spare: RunProcess | null = null;
  #isClosed = false;

  constructor(options: RunProcessesOptions) {
    this.#options = options;
  }

  /** Starts a spare process, unless there is one. */
  prepare(): void {
    if (!this.#isClosed) this.#spare ??= this.#start();
  }

  /** Returns the spare process, or a new one if there is none or if it has ended. It may not be ready yet. */
  take(): RunProcess {
    const spare = this.#spare;
    this.#spare = null;
    return spare !== null && !spare.hasEnded ? spare : this.#start();
  }

  /** Ends the spare process. No other is started. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#spare?.kill();
    this.#spare = null;
  }

  #start(): RunProcess {
    const { module, log } = this.#options;
    return new RunProcess({ module, v8Flags: [], output: log });
  }
}
