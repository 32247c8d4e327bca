/**
 * Time limits for database calls, and a circuit breaker for outages.
 *
 * @module
 */
import { jittered } from "../../../data/backoff.ts";
import { databaseUnavailable, DatabaseUnavailableError, isLocked, isTransient } from "./errors.ts";

/** Time limit of a call, in milliseconds. */
const CALL_MS = 5_000;
/** Extra time after the limit for an answer that has arrived but was not processed yet, in milliseconds. */
const GRACE_MS = 50;
/** Time after which writes that keep failing because of a lock count as an outage, in milliseconds. */
const LOCKED_MS = 2_000;
/** Pause before the first probe of an outage, and the longest pause before a later one, in milliseconds. */
const FIRST_PAUSE_MS = 50, LONGEST_PAUSE_MS = 1_000;

/** Kind of a database call. With a full disk or a lock, only writes fail. */
export type CallKind = "read" | "write";

interface Outage {
  readonly since: number;
  readonly cause: DatabaseUnavailableError;
  readonly writesOnly: boolean;
  nextProbe: number;
  pauseMs: number;
  probing: boolean;
}

/** Options of a circuit breaker. */
export interface CircuitOptions {
  /** True for a database in a local file, where reads may work while writes fail. */
  readonly local: boolean;
  /** Time limit of a call, in milliseconds. @default 5000 */
  readonly callMs?: number;
  /** Called once when an outage begins and once when it ends. */
  readonly log: (message: string) => void;
  /** Returns the milliseconds of a monotonic clock. */
  readonly clock?: () => number;
}

/**
 * The circuit breaker of one database. During an outage it rejects calls immediately, except one probe at a time.
 */
export class KvCircuit {
  readonly #options: CircuitOptions;
  readonly #clock: () => number;
  #outage: Outage | null = null;
  #lockedSince: number | null = null;
  #lastFailure = -Infinity;

  constructor(options: CircuitOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
  }

  /** Milliseconds since a call failed because the database was unavailable; infinite when none has. */
  get sinceFailure(): number {
    return this.#outage ? 0 : this.#clock() - this.#lastFailure;
  }

  /** Makes a call. @throws {DatabaseUnavailableError} in an outage or after the time limit, or the error of the call */
  async call<T>(kind: CallKind, action: () => Promise<T>): Promise<T> {
    const outage = this.#outage;
    if (outage === null || (kind === "read" && outage.writesOnly)) {
      return await this.#callWithTimeout(kind, action);
    }
    const now = this.#clock();
    if (outage.probing || now < outage.nextProbe) {
      throw new DatabaseUnavailableError(outage.cause.message, { cause: outage.cause }, now - outage.since);
    }
    outage.probing = true;
    try {
      return await this.#callWithTimeout(kind, action);
    } finally {
      outage.probing = false;
    }
  }

  async #callWithTimeout<T>(kind: CallKind, action: () => Promise<T>): Promise<T> {
    const { callMs = CALL_MS } = this.#options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<never>((_, reject) => {
      const error = new DatabaseUnavailableError(`The database did not answer within ${callMs / 1000} s`);
      // If this thread was busy, an answer may be waiting in the event loop. It is processed before the second timer.
      timer = setTimeout(() => timer = setTimeout(() => reject(error), GRACE_MS), callMs);
    });
    try {
      const value = await Promise.race([action(), timeout]);
      this.#succeeded(kind);
      return value;
    } catch (error) {
      if (isTransient(error)) throw this.#failed(kind, error);
      this.#succeeded(kind);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #succeeded(kind: CallKind): void {
    if (kind === "write") this.#lockedSince = null;
    const outage = this.#outage;
    if (outage === null || (kind === "read" && outage.writesOnly)) return;
    this.#outage = null;
    const seconds = ((this.#clock() - outage.since) / 1000).toFixed(1);
    this.#options.log(`The database is available again after ${seconds} s`);
  }

  #failed(kind: CallKind, error: unknown): DatabaseUnavailableError {
    const now = this.#clock();
    if (isLocked(error)) {
      this.#lockedSince ??= now;
      if (now - this.#lockedSince < LOCKED_MS) return databaseUnavailable(error);
    }
    this.#lastFailure = now;
    if (this.#outage === null) {
      const cause = databaseUnavailable(error);
      const writesOnly = this.#options.local && kind === "write";
      this.#outage = {
        since: now,
        cause,
        writesOnly,
        nextProbe: now + FIRST_PAUSE_MS,
        pauseMs: FIRST_PAUSE_MS,
        probing: false,
      };
      this.#options.log(cause.message);
      return cause;
    }
    const outage = this.#outage;
    outage.pauseMs = Math.min(LONGEST_PAUSE_MS, outage.pauseMs * 2);
    outage.nextProbe = now + jittered(outage.pauseMs);
    return new DatabaseUnavailableError(
      databaseUnavailable(error).message,
      { cause: error },
      now - outage.since,
    );
  }
}
