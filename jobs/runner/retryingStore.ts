/**
 * Object storage for runs: calls are retried until an outage ends.
 *
 * @module
 */
import { type Bytes, readBytes } from "../../data/bytes.ts";
import {
  type GetOptions,
  type ObjectBody,
  ObjectExistsError,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
} from "../../data/objects/store.ts";
import { StoreWrapper } from "../../data/objects/storeWrapper.ts";
import { OutageRetry, type OutageRetryOptions } from "./outageRetry.ts";

/**
 * Retries the calls of another store in an outage, see {@linkcode OutageRetry}. A put of a stream is retried only if
 * the stream can be reopened.
 */
export class RetryingStore extends StoreWrapper {
  readonly #retry: OutageRetry;

  constructor(inner: ObjectStore, options: OutageRetryOptions) {
    super(inner);
    this.#retry = new OutageRetry(options);
  }

  /** How long the current outage has lasted, in milliseconds; 0 without an outage. */
  get waitedMs(): number {
    return this.#retry.waitedMs;
  }

  override async put(
    key: string,
    body: Bytes | ReadableStream<Bytes>,
    options: PutOptions = {},
  ): Promise<ObjectInfo> {
    if (body instanceof ReadableStream) return await this.#putStream(key, body, options);
    let attempts = 0;
    return await this.#retry.call(async () => {
      attempts++;
      try {
        return await this.inner.put(key, body, options);
      } catch (error) {
        // The previous attempt may have been applied even though it failed here.
        if (!(error instanceof ObjectExistsError) || attempts === 1) throw error;
        const found = await this.inner.get(key);
        if (found.size === body.length && sameBytes(await readBytes(found.body), body)) {
          const { size, etag, modifiedAt } = found;
          return { key, size, etag, modifiedAt };
        }
        throw error;
      }
    }, options.signal);
  }

  async #putStream(key: string, body: ReadableStream<Bytes>, options: PutOptions): Promise<ObjectInfo> {
    const { reopen, signal } = options;
    if (!reopen) return await this.inner.put(key, body, options);
    let next = () => body;
    return await this.#retry.call(() => {
      const stream = next();
      next = reopen;
      return this.inner.put(key, stream, options);
    }, signal);
  }

  override async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const found = await this.#retry.call(() => this.inner.get(key, options), options.signal);
    return { ...found, body: this.#resumable(key, found, options) };
  }

  override async *list(prefix: string, options: { after?: string } = {}): AsyncGenerator<ObjectInfo> {
    let { after } = options;
    let objects = this.inner.list(prefix, { after })[Symbol.asyncIterator]();
    let failed = false;
    while (true) {
      const { done, value } = await this.#retry.call(async () => {
        if (failed) objects = this.inner.list(prefix, { after })[Symbol.asyncIterator]();
        failed = true;
        const next = await objects.next();
        failed = false;
        return next;
      });
      if (done) return;
      after = value.key;
      yield value;
    }
  }

  protected override intercept<T>(call: () => Promise<T>): Promise<T> {
    return this.#retry.call(call);
  }

  /** Returns the body of an object. After an outage the object is opened again at the byte where reading failed. */
  #resumable(key: string, first: ObjectBody, { signal }: GetOptions): ReadableStream<Bytes> {
    const { start, end } = first.range ?? { start: 0, end: first.size - 1 };
    let reader: ReadableStreamDefaultReader<Bytes> | null = first.body.getReader();
    let offset = start;
    return new ReadableStream<Bytes>({
      pull: async (controller) => {
        const { done, value } = await this.#retry.call(async () => {
          reader ??= (await this.inner.get(key, { range: { start: offset, end }, signal })
            .then((found) => checkUnchanged(found, first))).body.getReader();
          try {
            return await reader.read();
          } catch (error) {
            reader = null;
            throw error;
          }
        }, signal);
        if (done) return controller.close();
        offset += value.length;
        controller.enqueue(value);
      },
      cancel: (reason) => reader?.cancel(reason),
    }, { highWaterMark: 0 });
  }
}

/** Returns `found`. @throws {Error} when it is another object than the one that was opened first */
function checkUnchanged(found: ObjectBody, first: ObjectBody): ObjectBody {
  if (found.etag === first.etag) return found;
  found.body.cancel().catch(() => {});
  throw new Error(`'${first.key}' was replaced while it was read`);
}

function sameBytes(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
