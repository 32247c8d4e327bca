/**
 * The processes of a runner's runs. One process is kept ready as a spare, so that a run starts without a wait.
 *
 * @module
 */
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import { isUnknownFlag, UNKNOWN_FLAGS, vectorFlags, type Vectors } from "../process/vectors.ts";
import { RunProcess } from "./runProcess.ts";

/** Options of {@linkcode RunProcesses}. */
export interface RunProcessesOptions {
  /** URL of the module of a run's process. */
  readonly module: URL;
  /** The width of the vectors that runs compute with. */
  readonly vectors: Promise<Vectors>;
  /** Returns V8's flags for a width. @default {@linkcode vectorFlags} */
  readonly flags?: (bits: VectorBits) => readonly string[];
  /** Receives lines that a process writes while it has no run. */
  readonly log: (line: string) => void;
}

/** A process, and the width of its vectors. */
export interface StartedProcess {
  readonly process: RunProcess;
  readonly vectors: Vectors;
}

/** Starts the processes of runs ahead of time. */
export class RunProcesses {
  readonly #options: RunProcessesOptions;
  #vectors: Promise<Vectors>;
  #spare: Promise<StartedProcess | null> | null = null;
  #isClosed = false;

  constructor(options: RunProcessesOptions) {
    this.#options = options;
    this.#vectors = options.vectors;
  }

  /** Starts a spare process, unless there is one. */
  prepare(): void {
    if (!this.#isClosed) this.#spare ??= this.#start().catch(() => null);
  }

  /**
   * Returns the spare process, or a new one if there is none or if it has ended. If V8 does not have the flags for
   * vectors of 256 bits, the process is one without flags. A process that has ended for another reason is returned: its
   * last message says why.
   *
   * @throws the error of the option `vectors`
   */
  async take(): Promise<StartedProcess> {
    const pending = this.#spare;
    this.#spare = null;
    const spare = await pending;
    const started = spare !== null && !spare.process.hasEnded ? spare : await this.#start();
    const crash = await started.process.ready;
    if (crash === null || started.vectors.bits === 128 || !isUnknownFlag(crash.exit)) return started;
    this.#vectors = Promise.resolve(UNKNOWN_FLAGS);
    return await this.#start();
  }

  /** Ends the spare process. No other is started. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const spare = await this.#spare;
    this.#spare = null;
    await spare?.process.kill();
  }

  async #start(): Promise<StartedProcess> {
    const { module, flags = vectorFlags, log } = this.#options, vectors = await this.#vectors;
    return { process: new RunProcess({ module, v8Flags: flags(vectors.bits), output: log }), vectors };
  }
}
