/**
 * An object store that reports temporary errors as outages.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";
import { isOutage } from "./outage.ts";
import {
  type GetOptions,
  type ObjectBody,
  type ObjectInfo,
  type PutOptions,
  StorageUnavailableError,
} from "./store.ts";
import { StoreWrapper } from "./storeWrapper.ts";

/** Converts the temporary errors of another store to {@linkcode StorageUnavailableError}s. */
export class OutageStore extends StoreWrapper {
  protected override async intercept<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw convertError(error);
    }
  }

  /** @inheritdoc */
  override async put(
    key: string,
    body: Bytes | ReadableStream<Bytes>,
    options: PutOptions = {},
  ): Promise<ObjectInfo> {
    // An error of the source, such as a lost client connection, is not a failure of the store.
    let sourceFailed = false;
    const source = body instanceof ReadableStream
      ? mapErrors(body, (error) => {
        sourceFailed = true;
        return error;
      })
      : body;
    try {
      return await this.inner.put(key, source, options);
    } catch (error) {
      throw options.signal?.aborted || sourceFailed ? error : convertError(error);
    }
  }

  /** @inheritdoc */
  override async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const convert = (error: unknown) => options.signal?.aborted ? error : convertError(error);
    try {
      const object = await this.inner.get(key, options);
      return { ...object, body: mapErrors(object.body, convert) };
    } catch (error) {
      throw convert(error);
    }
  }
}

function convertError(error: unknown): unknown {
  if (!isOutage(error) || error instanceof StorageUnavailableError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new StorageUnavailableError(`Object storage is unavailable: ${reason}`, { cause: error });
}

/** Returns a stream of the same bytes. An error of a read is replaced by the result of `map`. */
function mapErrors(body: ReadableStream<Bytes>, map: (error: unknown) => unknown): ReadableStream<Bytes> {
  const reader = body.getReader();
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(map(error));
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
