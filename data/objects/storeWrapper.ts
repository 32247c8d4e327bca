/**
 * A decorator of object stores: the base class of stores that add behaviour to another store.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import type { GetOptions, ObjectBody, ObjectInfo, ObjectStore, PutOptions } from "./store.ts";

/** An object store that passes every call to another store through {@linkcode intercept}. */
export abstract class StoreWrapper implements ObjectStore {
  readonly url: string;
  protected readonly inner: ObjectStore;

  constructor(inner: ObjectStore) {
    this.inner = inner;
    this.url = inner.url;
  }

  /** Runs one call of the inner store. `list` makes one call for each object. */
  protected abstract intercept<T>(call: () => Promise<T>): Promise<T>;

  /** @inheritdoc */
  put(key: string, body: Bytes | ReadableStream<Bytes>, options?: PutOptions): Promise<ObjectInfo> {
    return this.intercept(() => this.inner.put(key, body, options));
  }

  /** @inheritdoc */
  get(key: string, options?: GetOptions): Promise<ObjectBody> {
    return this.intercept(() => this.inner.get(key, options));
  }

  /** @inheritdoc */
  head(key: string): Promise<ObjectInfo | null> {
    return this.intercept(() => this.inner.head(key));
  }

  /** @inheritdoc */
  async *list(prefix: string, options?: { readonly after?: string }): AsyncGenerator<ObjectInfo> {
    const objects = this.inner.list(prefix, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const { done, value } = await this.intercept(() => objects.next());
        if (done) return;
        yield value;
      }
    } finally {
      await objects.return?.();
    }
  }

  /** @inheritdoc */
  delete(key: string): Promise<void> {
    return this.intercept(() => this.inner.delete(key));
  }

  /** @inheritdoc */
  sweep(now?: number): Promise<number> {
    return this.intercept(async () => await this.inner.sweep?.(now) ?? 0);
  }

  /** @inheritdoc */
  freeBytes(): Promise<number> {
    return this.intercept(async () => await this.inner.freeBytes?.() ?? Infinity);
  }
}
