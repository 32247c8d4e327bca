/**
 * Work on several items at once, in order.
 *
 * @module
 */

/**
 * Works on the next items while the first is waited for. Results come in the items' order, and so does the first error,
 * whatever ends first.
 *
 * @param atOnce most items at once
 */
export async function* ahead<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const source = items[Symbol.asyncIterator]();
  const begun: Promise<R>[] = [];
  let ended = false;
  const begin = (result: Promise<R>) => {
    // It is waited for later: until then its error has no listener.
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
