/**
 * Logs outages of object storage: one line when an outage is noticed, and one when it is over.
 *
 * @module
 */
import {
  type GetOptions,
  type ObjectBody,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  StorageUnavailableError,
} from "./store.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A store that logs the outages of another store. */
export class OutageLogStore implements ObjectStore {
  readonly url: string;
  readonly #inner: ObjectStore;
  readonly #log: (message: string) => void;
  #since: number | null = null;

  /** @param log called with the two lines of an outage */
  constructor(inner: ObjectStore, log: (message: string) => void) {
    this.#inner = inner;
    this.#log = log;
    this.url = inner.url;
  }

  /** @inheritdoc */
  put(key: string, body: Bytes | ReadableStream<Bytes>, options?: PutOptions): Promise<ObjectInfo> {
    return this.#noted(this.#inner.put(key, body, options));
  }

  /** @inheritdoc */
  get(key: string, options?: GetOptions): Promise<ObjectBody> {
    return this.#noted(this.#inner.get(key, options));
  }

  /** @inheritdoc */
  head(key: string): Promise<ObjectInfo | null> {
    return this.#noted(this.#inner.head(key));
  }

  /** @inheritdoc */
  async *list(...args: Parameters<ObjectStore["list"]>): AsyncGenerator<ObjectInfo> {
    try {
      yield* this.#inner.list(...args);
      this.#works();
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  /** @inheritdoc */
  delete(key: string): Promise<void> {
    return this.#noted(this.#inner.delete(key));
  }

  /** @inheritdoc */
  async sweep(now?: number): Promise<number> {
    return await this.#noted(this.#inner.sweep?.(now) ?? Promise.resolve(0));
  }

  /** @inheritdoc */
  async freeBytes(): Promise<number> {
    return await this.#noted(this.#inner.freeBytes?.() ?? Promise.resolve(Infinity));
  }

  async #noted<T>(work: Promise<T>): Promise<T> {
    try {
      const value = await work;
      this.#works();
      return value;
    } catch (error) {
      this.#failed(error);
      throw error;
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof StorageUnavailableError)) return;
    if (this.#since === null) this.#log(error.message);
    this.#since ??= performance.now();
  }

  #works(): void {
    if (this.#since === null) return;
    const seconds = ((performance.now() - this.#since) / 1000).toFixed(1);
    this.#since = null;
    this.#log(`Object storage is available again after ${seconds} s`);
  }
}
