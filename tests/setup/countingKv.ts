/**
 * A database that counts reads.
 *
 * @module
 */
import { withOverrides } from "./overrides.ts";

/** Reads so far: calls of `get`, `getMany` and `list`, and the entries that they returned. */
export interface Reads {
  calls: number;
  entries: number;
}

/** Wraps a database and counts the reads made through the wrapper. */
export function counting(kv: Deno.Kv): { kv: Deno.Kv; reads: Reads } {
  const reads: Reads = { calls: 0, entries: 0 };
  const counted = withOverrides(kv, {
    get(key: Deno.KvKey) {
      reads.calls++;
      reads.entries++;
      return kv.get(key);
    },
    getMany(keys: Deno.KvKey[]) {
      reads.calls++;
      reads.entries += keys.length;
      return kv.getMany(keys);
    },
    async *list(selector: Deno.KvListSelector, options?: Deno.KvListOptions) {
      reads.calls++;
      for await (const entry of kv.list(selector, options)) {
        reads.entries++;
        yield entry;
      }
    },
  });
  return { kv: counted, reads };
}

/** Counts the reads while `work` runs. */
export async function readsOf(reads: Reads, work: () => Promise<unknown>): Promise<Reads> {
  const before = { ...reads };
  await work();
  return { calls: reads.calls - before.calls, entries: reads.entries - before.entries };
}
