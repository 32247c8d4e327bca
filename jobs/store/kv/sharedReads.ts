/**
 * Reads of one key that many requests wait for at the same time.
 *
 * @module
 */

interface Reads {
  /** The read in progress. */
  running: Promise<unknown>;
  /** The read that begins after it. */
  next: Promise<unknown> | null;
}

const readsOf = new WeakMap<Deno.Kv, Map<string, Reads>>();

/**
 * Reads a key. Calls during a read share the read after it, so every call gets a value that was read after the call.
 *
 * @param name identifies the key
 * @param read reads it
 */
export function shareRead<T>(kv: Deno.Kv, name: string, read: () => Promise<T>): Promise<T> {
  let all = readsOf.get(kv);
  if (!all) readsOf.set(kv, all = new Map());
  const reads = all.get(name);
  if (!reads) return startRead(all, name, read);
  const start = () => startRead(all, name, read);
  return (reads.next ??= reads.running.then(start, start)) as Promise<T>;
}

function startRead<T>(all: Map<string, Reads>, name: string, read: () => Promise<T>): Promise<T> {
  const running = read();
  const reads: Reads = { running, next: null };
  all.set(name, reads);
  const end = () => {
    if (reads.next === null) all.delete(name);
  };
  running.then(end, end);
  return running;
}
