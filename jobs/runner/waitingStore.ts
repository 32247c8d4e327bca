/**
 * Object storage for runs. In an outage, a call waits instead of failing.
 *
 * @module
 */
import type { Bytes } from "../../data/bytes.ts";
import {
  type GetOptions,
  type ObjectBody,
  ObjectExistsError,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  StorageUnavailableError,
} from "../../data/objects/store.ts";
import { jittered, pause } from "../backoff.ts";

/** Pause before the second attempt, doubled before each later one up to the longest, in milliseconds. */
const FIRST_PAUSE_MS = 100, LONGEST_PAUSE_MS = 5_000;

/** How a run waits. */
export interface WaitOptions {
  /** Longest wait for the end of one outage, in milliseconds. */
  readonly patienceMs: number;
  /** Ends the wait. After that every call is attempted only once. */
  readonly signal: AbortSignal;
  /** Called once when an outage begins and once when it ends. */
  readonly log: (level: "info" | "warning", message: string) => void;
}

/**
 * Retries calls with backoff while the store is unavailable. When an outage outlasts the longest wait, the waiting call
 * throws its {@linkcode StorageUnavailableError}, and later calls are not retried. A put of a stream is not retried,
 * because the stream can be read only once.
 */
export class WaitingStore implements ObjectStore {
  readonly url: string;
  readonly #inner: ObjectStore;
  readonly #options: WaitOptions;
  #outage: { readonly since: number } | null = null;
  #exhausted = false;

  constructor(inner: ObjectStore, options: WaitOptions) {
    this.#inner = inner;
    this.#options = options;
    this.url = inner.url;
  }

  /** How long the present outage has lasted, in milliseconds; 0 without an outage. */
  get waitedMs(): number {
    return this.#outage === null ? 0 : performance.now() - this.#outage.since;
  }

  async put(key: string, body: Bytes | ReadableStream<Bytes>, options: PutOptions = {}): Promise<ObjectInfo> {
    if (body instanceof ReadableStream) return await this.#inner.put(key, body, options);
    let attempts = 0;
    return await this.#persist(async () => {
      attempts++;
      try {
        return await this.#inner.put(key, body, options);
      } catch (error) {
        // The previous attempt may have been applied even though it failed here.
        if (!(error instanceof ObjectExistsError) || attempts === 1) throw error;
        const found = await this.#inner.get(key);
        if (found.size === body.length && sameBytes(await bytesOf(found), body)) {
          const { size, etag, modifiedAt } = found;
          return { key, size, etag, modifiedAt };
        }
        throw error;
      }
    }, options.signal);
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const found = await this.#persist(() => this.#inner.get(key, options), options.signal);
    return { ...found, body: this.#continued(key, found, options) };
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#persist(() => this.#inner.head(key));
  }

  async *list(prefix: string, options: { after?: string } = {}): AsyncGenerator<ObjectInfo> {
    let { after } = options;
    let rest = this.#inner.list(prefix, { after })[Symbol.asyncIterator]();
    let broken = false;
    while (true) {
      const { done, value } = await this.#persist(async () => {
        if (broken) rest = this.#inner.list(prefix, { after })[Symbol.asyncIterator]();
        broken = true;
        const next = await rest.next();
        broken = false;
        return next;
      });
      if (done) return;
      after = value.key;
      yield value;
    }
  }

  delete(key: string): Promise<void> {
    return this.#persist(() => this.#inner.delete(key));
  }

  /** The body of an object. After an outage it is reopened at the byte where it broke off. */
  #continued(key: string, first: ObjectBody, { signal }: GetOptions): ReadableStream<Bytes> {
    const { start, end } = first.range ?? { start: 0, end: first.size - 1 };
    let reader: ReadableStreamDefaultReader<Bytes> | null = first.body.getReader();
    let at = start;
    return new ReadableStream<Bytes>({
      pull: async (controller) => {
        const { done, value } = await this.#persist(async () => {
          reader ??= (await this.#inner.get(key, { range: { start: at, end }, signal })
            .then((found) => unchanged(found, first))).body.getReader();
          try {
            return await reader.read();
          } catch (error) {
            reader = null;
            throw error;
          }
        }, signal);
        if (done) return controller.close();
        at += value.length;
        controller.enqueue(value);
      },
      cancel: (reason) => reader?.cancel(reason),
    }, { highWaterMark: 0 });
  }

  async #persist<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const stopped = signal ? AbortSignal.any([signal, this.#options.signal]) : this.#options.signal;
    for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)) {
      try {
        const value = await call();
        this.#ended();
        return value;
      } catch (error) {
        if (!(error instanceof StorageUnavailableError)) throw error;
        if (stopped.aborted) throw stopped.reason;
        if (this.#exhausted || this.#began(error) > this.#options.patienceMs) {
          this.#exhausted = true;
          throw error;
        }
      }
      await pause(jittered(pauseMs), stopped);
      stopped.throwIfAborted();
    }
  }

  /** @returns milliseconds that the outage has lasted */
  #began(error: StorageUnavailableError): number {
    const now = performance.now();
    if (this.#outage === null) {
      this.#outage = { since: now };
      this.#options.log("warning", `${error.message}; waiting`);
    }
    return now - this.#outage.since;
  }

  #ended(): void {
    if (this.#outage === null) return;
    const seconds = ((performance.now() - this.#outage.since) / 1000).toFixed(1);
    this.#outage = null;
    this.#options.log("info", `Object storage is available again after ${seconds} s`);
  }
}

/** @throws {Error} when the object is not the one that was opened first */
function unchanged(found: ObjectBody, first: ObjectBody): ObjectBody {
  if (found.etag === first.etag) return found;
  found.body.cancel().catch(() => {});
  throw new Error(`'${first.key}' was replaced while it was read`);
}

async function bytesOf({ body }: ObjectBody): Promise<Bytes> {
  return new Uint8Array(await new Response(body).arrayBuffer());
}

function sameBytes(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** The storage outage in the chain of an error's causes; null for none. */
export function storageFailure(error: unknown): StorageUnavailableError | null {
  if (error instanceof StorageUnavailableError) return error;
  return error instanceof Error && error.cause !== undefined ? storageFailure(error.cause) : null;
}
