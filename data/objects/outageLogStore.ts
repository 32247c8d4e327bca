/**
 * Logs outages of object storage: one line when an outage is detected, and one when it has ended.
 *
 * @module
 */
import { recoveryMessage } from "./outage.ts";
import { type ObjectStore, StorageUnavailableError } from "./store.ts";
import { StoreWrapper } from "./storeWrapper.ts";

/** An object store that logs the outages of another store. */
export class OutageLogStore extends StoreWrapper {
  readonly #log: (message: string) => void;
  #outageStart: number | null = null;

  /** @param log called with each line */
  constructor(inner: ObjectStore, log: (message: string) => void) {
    super(inner);
    this.#log = log;
  }

  protected override async intercept<T>(call: () => Promise<T>): Promise<T> {
    try {
      const value = await call();
      this.#onSuccess();
      return value;
    } catch (error) {
      if (error instanceof StorageUnavailableError) this.#onOutage(error);
      throw error;
    }
  }

  #onOutage(error: StorageUnavailableError): void {
    if (this.#outageStart !== null) return;
    this.#outageStart = performance.now();
    this.#log(error.message);
  }

  #onSuccess(): void {
    if (this.#outageStart === null) return;
    this.#log(recoveryMessage(performance.now() - this.#outageStart));
    this.#outageStart = null;
  }
}
