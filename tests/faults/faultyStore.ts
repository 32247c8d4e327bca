/**
 * An object store whose calls fail by plan.
 *
 * @module
 */
import type { Bytes } from "../../data/bytes.ts";
import { type GetOptions, type ObjectStore, StorageUnavailableError } from "../../data/objects/store.ts";

/** The calls that fail. */
export interface FaultPlan {
  /** Number of the first call that fails, from 1. */
  readonly nth: number;
  /** Number of consecutive calls that fail. */
  readonly times: number;
  /** Whether a call fails before or after it takes effect. After it, the answer is lost. */
  readonly when: "before" | "after";
  /** Number of bytes after which each body fails. No body fails when absent. */
  readonly bodyFailsAfter?: number;
}

/** Returns the store with the planned faults. */
export function faultyStore(store: ObjectStore, plan: FaultPlan): ObjectStore {
  let calls = 0;
  const failure = () => new StorageUnavailableError("Object storage is unavailable: planned fault");
  const call = async <T>(action: () => Promise<T>): Promise<T> => {
    const number = ++calls;
    const fails = number >= plan.nth && number < plan.nth + plan.times;
    if (fails && plan.when === "before") throw failure();
    const value = await action();
    if (fails) throw failure();
    return value;
  };
  return {
    url: store.url,
    put: (...args) => call(() => store.put(...args)),
    get: (key: string, options?: GetOptions) =>
      call(async () => {
        const found = await store.get(key, options);
        return { ...found, body: failingBody(found.body, plan.bodyFailsAfter ?? Infinity, failure) };
      }),
    head: (key) => call(() => store.head(key)),
    delete: (key) => call(() => store.delete(key)),
    async *list(...args) {
      yield* await call(() => Array.fromAsync(store.list(...args)));
    },
  };
}

function failingBody(
  body: ReadableStream<Bytes>,
  maxBytes: number,
  failure: () => Error,
): ReadableStream<Bytes> {
  let size = 0;
  return body.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        size += chunk.length;
        if (size > maxBytes) controller.error(failure());
        else controller.enqueue(chunk);
      },
    }),
  );
}
