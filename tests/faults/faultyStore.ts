/**
 * An object store with planned faults.
 *
 * @module
 */
import { type GetOptions, type ObjectStore, StorageUnavailableError } from "../../data/objects/store.ts";

/** Which calls fail. */
export interface FaultPlan {
  /** The first call to fail, from 1. */
  readonly nth: number;
  /** Calls that fail in a row. */
  readonly times: number;
  /** Before the call takes effect, or after it (a lost answer). */
  readonly when: "before" | "after";
  /** Bytes after which each body breaks; none breaks when absent. */
  readonly breakBodiesAt?: number;
}

/** The store with the plan's faults. */
export function faultyStore(store: ObjectStore, plan: FaultPlan): ObjectStore {
  let calls = 0;
  const failure = () => new StorageUnavailableError("Object storage is unavailable: by plan");
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
        return { ...found, body: broken(found.body, plan.breakBodiesAt ?? Infinity, failure) };
      }),
    head: (key) => call(() => store.head(key)),
    delete: (key) => call(() => store.delete(key)),
    async *list(...args) {
      yield* await call(() => Array.fromAsync(store.list(...args)));
    },
  };
}

function broken(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  at: number,
  failure: () => Error,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let size = 0;
  return body.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        size += chunk.length;
        if (size > at) controller.error(failure());
        else controller.enqueue(chunk);
      },
    }),
  );
}
