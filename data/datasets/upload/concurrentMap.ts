/**
 * A concurrent map over an asynchronous iterable.
 *
 * @module
 */

/**
 * Applies an asynchronous function to several items concurrently. Results and errors are yielded in the order of the
 * items.
 *
 * @param concurrency maximum number of items in progress
 */
export async function* concurrentMap<T, R>(
  items: AsyncIterable<T>,
  concurrency: number,
  map: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const source = items[Symbol.asyncIterator]();
  const pending: Promise<R>[] = [];
  let ended = false;
  const add = (result: Promise<R>) => {
    // The promise is awaited later. Without this handler, an earlier error would be an unhandled rejection.
    result.catch(() => {});
    pending.push(result);
  };
  try {
    while (true) {
      while (!ended && pending.length < concurrency) {
        try {
          const { done, value } = await source.next();
          if (done) ended = true;
          else add(map(value));
        } catch (error) {
          ended = true;
          add(Promise.reject(error));
        }
      }
      const first = pending.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(pending);
    await source.return?.();
  }
}
