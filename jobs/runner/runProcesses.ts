/**
 * The processes of a runner's runs. One process is kept ready as a spare, so that a run starts without a wait.
 *
 * @module
 */
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import { isUnknownFlag, UNKNOWN_FLAGS, vectorFlags, type Vectors } from "../process/vectors.ts";
import { RunProcess } from "./runProcess.ts";

/**
 * A smaller young generation of V8's heap, of one MiB in each thread. A run allocates little memory for objects in a
 * step, and most of a larger young generation would be garbage: 40 MiB in all.
 */
const MEMORY_FLAGS: readonly string[] = ["--max-semi-space-size=1"];

/** Options of {@linkcode RunProcesses}. */
export interface RunProcessesOptions {
  /** URL of the module of a run's process. */
  readonly module: URL;
  /** The width of the vectors that runs compute with. */
  readonly vectors: Promise<Vectors>;
  /** Returns V8's flags for a width. @default those for the width, and a small young generation */
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
  #hasFlags = true;

  constructor(options: RunProcessesOptions) {
    this.#options = options;
    this.#vectors = options.vectors;
  }

  /** Starts a spare process, unless there is one. */
  prepare(): void {
    if (!this.#isClosed) this.#spare ??= this.#start().catch(() => null);
  }

  /**
   * Returns the spare process, or a new one if there is none or if it has ended. If V8 does not have one of the flags,
   * the process has none, and computes with vectors of 128 bits. A process that has ended for another reason is
   * returned: its last message has the reason.
   *
   * @throws the error of the option `vectors`
   */
  async take(): Promise<StartedProcess> {
    const pending = this.#spare;
    this.#spare = null;
    const spare = await pending;
    const started = spare !== null && !spare.process.hasEnded ? spare : await this.#start();
    const crash = await started.process.ready;
    if (crash === null || !isUnknownFlag(crash.exit)) return started;
    this.#hasFlags = false;
    if (started.vectors.bits === 256) this.#vectors = Promise.resolve(UNKNOWN_FLAGS);
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
    const { module, flags = flagsOfRun, log } = this.#options, vectors = await this.#vectors;
    const v8Flags = this.#hasFlags ? flags(vectors.bits) : [];
    return { process: new RunProcess({ module, v8Flags, output: log }), vectors };
  }
}

function flagsOfRun(bits: VectorBits): readonly string[] {
  return [...MEMORY_FLAGS, ...vectorFlags(bits)];
}
