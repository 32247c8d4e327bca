/**
 * Concurrent work on several items, with results in order.
 *
 * @module
 */

/**
 * Works on the next items while it waits for the first. Results and errors are delivered in the order of the items, not
 * in the order in which the work ends.
 *
 * @param atOnce most items in work at the same time
 */
export async function* concurrentMap<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const source = items[Symbol.asyncIterator]();
  const begun: Promise<R>[] = [];
  let ended = false;
  const begin = (result: Promise<R>) => {
    // The promise is awaited later, so its error needs a handler until then.
    result.catch(() => {});
    begun.push(result);
  };
  try {
    while (true) {
      while (!ended && begun.length < atOnce) {
        try {
          const { done, value } = await source.next();
          if (done) ended = true;
          else begin(work(value));
        } catch (error) {
          ended = true;
          begin(Promise.reject(error));
        }
      }
      const first = begun.shift();
      if (first === undefined) return;
      yield await first;
    }
  } finally {
    await Promise.allSettled(begun);
    await source.return?.();
  }
}
