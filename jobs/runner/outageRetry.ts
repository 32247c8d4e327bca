/**
 * Retries of storage calls in an outage.
 *
 * @module
 */
import { recoveryMessage } from "../../data/objects/outage.ts";
import { StorageUnavailableError } from "../../data/objects/store.ts";
import { jittered, pause } from "../../data/backoff.ts";

/** Pause before the second attempt, doubled before each later one up to the longest, in milliseconds. */
const FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 5_000;

/** Options of {@linkcode OutageRetry}. */
export interface OutageRetryOptions {
  /** Longest wait for the end of one outage, in milliseconds. */
  readonly maxWaitMs: number;
  /** Ends the wait. After that, each call is attempted only once. */
  readonly signal: AbortSignal;
  /** Called once when an outage begins and once when it ends. */
  readonly log: (level: "info" | "warning", message: string) => void;
}

/**
 * Retries calls with backoff while storage is unavailable. When an outage exceeds the longest wait, the waiting call
 * throws its {@linkcode StorageUnavailableError}, and later calls are not retried.
 */
export class OutageRetry {
  readonly #options: OutageRetryOptions;
  #outageSince: number | null = null;
  #exhausted = false;

  constructor(options: OutageRetryOptions) {
    this.#options = options;
  }

  /** How long the current outage has lasted, in milliseconds; 0 without an outage. */
  get waitedMs(): number {
    return this.#outageSince === null ? 0 : performance.now() - this.#outageSince;
  }

  /** Makes a call, and repeats it in an outage. @param signal ends the wait of this call */
  async call<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const stopped = signal ? AbortSignal.any([signal, this.#options.signal]) : this.#options.signal;
    for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        const value = await attempt();
        this.#succeeded();
        return value;
      } catch (error) {
        if (!(error instanceof StorageUnavailableError)) throw error;
        if (stopped.aborted) throw stopped.reason;
        if (!this.#exhausted) this.#failed(error);
        if (this.#exhausted) throw error;
      }
      await pause(jittered(pauseMs), stopped);
      stopped.throwIfAborted();
    }
  }

  #failed(error: StorageUnavailableError): void {
    const now = performance.now();
    if (this.#outageSince === null) {
      this.#outageSince = now;
      this.#options.log("warning", `${error.message}; waiting`);
    }
    this.#exhausted = now - this.#outageSince > this.#options.maxWaitMs;
  }

  #succeeded(): void {
    if (this.#outageSince === null) return;
    this.#options.log("info", recoveryMessage(this.waitedMs));
    this.#outageSince = null;
  }
}

/** Returns the {@linkcode StorageUnavailableError} in an error's chain of causes; null for none. */
export function storageFailure(error: unknown): StorageUnavailableError | null {
  if (error instanceof StorageUnavailableError) return error;
  return error instanceof Error && error.cause !== undefined ? storageFailure(error.cause) : null;
}
