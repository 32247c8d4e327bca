/**
 * The availability of object storage. After an outage has ended a run, the runner claims no job until a probe succeeds.
 *
 * @module
 */
import { PROBE_KEY } from "../../data/objects/keys.ts";
import { recoveryMessage } from "../../data/objects/outage.ts";
import { type ObjectStore, StorageUnavailableError } from "../../data/objects/store.ts";
import { jittered } from "../../data/backoff.ts";

/** Pause before the first probe, and the longest pause before a later one, in milliseconds. */
const FIRST_PAUSE_MS = 250, LONGEST_PAUSE_MS = 10_000;
/** Size of a probe in bytes. It is large enough to detect a full disk. */
const PROBE_BYTES = 256 * 1024;

/** Tracks the availability of object storage for one runner. */
export class StorageWatch {
  readonly #store: ObjectStore;
  readonly #log: (message: string) => void;
  #outage: { readonly since: number; pauseMs: number; nextProbe: number } | null = null;

  /** @param log called once when an outage begins and once when it ends */
  constructor(store: ObjectStore, log: (message: string) => void) {
    this.#store = store;
    this.#log = log;
  }

  /** How long the current outage has lasted, in milliseconds; 0 without an outage. */
  get outageMs(): number {
    return this.#outage === null ? 0 : performance.now() - this.#outage.since;
  }

  /** Records an outage that a run has detected. @param lastedMs how long it has lasted already, in milliseconds */
  failed(reason: string, lastedMs = 0): void {
    if (this.#outage !== null) return;
    const now = performance.now();
    this.#outage = {
      since: now - lastedMs,
      pauseMs: FIRST_PAUSE_MS,
      nextProbe: now + jittered(FIRST_PAUSE_MS),
    };
    this.#log(`${reason}; no job is claimed until it is available again`);
  }

  /** Returns true without an outage and after a successful probe. Probes are sent with backoff. */
  async available(): Promise<boolean> {
    const outage = this.#outage;
    if (outage === null) return true;
    if (performance.now() < outage.nextProbe) return false;
    try {
      await this.#probe();
    } catch (error) {
      if (!(error instanceof StorageUnavailableError)) throw error;
      outage.pauseMs = Math.min(LONGEST_PAUSE_MS, outage.pauseMs * 2);
      outage.nextProbe = performance.now() + jittered(outage.pauseMs);
      return false;
    }
    this.#log(recoveryMessage(this.outageMs));
    this.#outage = null;
    return true;
  }

  async #probe(): Promise<void> {
    try {
      await this.#store.put(PROBE_KEY, new Uint8Array(PROBE_BYTES));
    } finally {
      await this.#store.delete(PROBE_KEY).catch(() => {});
    }
  }
}
