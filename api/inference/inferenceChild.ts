/**
 * The inference process, as the API sees it.
 *
 * @module
 */
import { ChildProcess } from "../../jobs/process/child.ts";
import { chooseVectors, vectorFlags } from "../../jobs/process/vectors.ts";
import type { Batch, FromInference, InferenceSetup, ToInference } from "./messages.ts";

/** Receives what the process does. Nothing is called after {@linkcode InferenceChild.kill}. */
export interface InferenceListener {
  /** Called with the response to each batch. */
  readonly receive: (message: FromInference) => void;
  /** Called once when the process has ended by itself. @param cause such as `signal SIGKILL` */
  readonly ended: (cause: string) => void;
}

/** Starts the process that computes. Batches may be sent at once. */
export class InferenceChild {
  /** Resolves when the process exists. It may not be ready yet. */
  readonly started: Promise<void>;
  readonly #setup: InferenceSetup;
  readonly #listener: InferenceListener;
  readonly #waiting: Batch[] = [];
  #process: ChildProcess<ToInference, FromInference> | null = null;
  #isKilled = false;

  constructor(setup: InferenceSetup, listener: InferenceListener) {
    this.#setup = setup;
    this.#listener = listener;
    this.started = this.#start().catch((error) => this.#end(`no start: ${error.message}`));
  }

  /** Id of the process; undefined before it is started. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Sends a batch. */
  send(batch: Batch): void {
    if (this.#process) this.#process.send(batch);
    else this.#waiting.push(batch);
  }

  /** Ends the process immediately. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    await this.started;
    await this.#process?.kill();
  }

  async #start(): Promise<void> {
    const { compute } = this.#setup, { vectors = "128", vectorsFile = null } = compute;
    const { bits } = await chooseVectors(vectors, vectorsFile);
    if (this.#isKilled) return;
    const process = new ChildProcess<ToInference, FromInference>(new URL("./process.ts", import.meta.url), {
      v8Flags: vectorFlags(bits),
      message: (message) => {
        if (!this.#isKilled) this.#listener.receive(message);
      },
      output: (line) => console.error(line),
    });
    process.exited.then(({ code, signal }) =>
      this.#end(signal === null ? `exit code ${code}` : `signal ${signal}`)
    );
    process.send({ ...this.#setup, compute: { ...compute, vectorBits: bits } });
    for (const batch of this.#waiting) process.send(batch);
    this.#process = process;
  }

  #end(cause: string): void {
    if (!this.#isKilled) this.#listener.ended(cause);
  }
}
