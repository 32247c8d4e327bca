/**
 * An object store that reports its temporary errors as outages.
 *
 * @module
 */
import type { Bytes } from "./parts.ts";
import { isOutage } from "./outage.ts";
import {
  type GetOptions,
  type ObjectBody,
  type ObjectInfo,
  type ObjectStore,
  type PutOptions,
  StorageUnavailableError,
} from "./store.ts";

function mapped(error: unknown): unknown {
  if (!isOutage(error) || error instanceof StorageUnavailableError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StorageUnavailableError(`Object storage is unavailable: ${reason}`, { cause: error });
}

/** The same stream with the errors of its reads replaced by those that `replaced` returns. */
function withErrors(
  body: ReadableStream<Bytes>,
  replaced: (error: unknown) => unknown,
): ReadableStream<Bytes> {
  const reader = body.getReader();
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(replaced(error));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}

/** Maps errors while a body is read in the same way as errors of the call itself. */
function mappedBody(body: ReadableStream<Bytes>, signal?: AbortSignal): ReadableStream<Bytes> {
  return withErrors(body, (error) => signal?.aborted ? error : mapped(error));
}

/** A store that turns temporary errors into {@linkcode StorageUnavailableError}s. */
export class OutageStore implements ObjectStore {
  readonly url: string;
  readonly #inner: ObjectStore;

  constructor(inner: ObjectStore) {
    this.#inner = inner;
    this.url = inner.url;
  }

  async put(key: string, body: Bytes | ReadableStream<Bytes>, options: PutOptions = {}): Promise<ObjectInfo> {
    // An error of the source, such as a lost client connection, is not a failure of the store.
    const source = body instanceof ReadableStream ? watched(body) : { body, failed: () => false };
    try {
      return await this.#inner.put(key, source.body, options);
    } catch (error) {
      throw options.signal?.aborted || source.failed() ? error : mapped(error);
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    try {
      const found = await this.#inner.get(key, options);
      return { ...found, body: mappedBody(found.body, options.signal) };
    } catch (error) {
      throw options.signal?.aborted ? error : mapped(error);
    }
  }

  head(key: string): Promise<ObjectInfo | null> {
    return this.#inner.head(key).catch((error) => Promise.reject(mapped(error)));
  }

  async *list(prefix: string, options?: { after?: string }): AsyncGenerator<ObjectInfo> {
    try {
      yield* this.#inner.list(prefix, options);
    } catch (error) {
      throw mapped(error);
    }
  }

  delete(key: string): Promise<void> {
    return this.#inner.delete(key).catch((error) => Promise.reject(mapped(error)));
  }

  async sweep(now?: number): Promise<number> {
    try {
      return await this.#inner.sweep?.(now) ?? 0;
    } catch (error) {
      throw mapped(error);
    }
  }

  async freeBytes(): Promise<number> {
    try {
      return await this.#inner.freeBytes?.() ?? Infinity;
    } catch (error) {
      throw mapped(error);
    }
  }
}

/** The same stream, with a function that returns whether the stream itself failed. */
function watched(body: ReadableStream<Bytes>): { body: ReadableStream<Bytes>; failed: () => boolean } {
  let failed = false;
  const same = withErrors(body, (error) => {
    failed = true;
    return error;
  });
  return { body: same, failed: () => failed };
}
