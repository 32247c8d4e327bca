/**
 * Tests that every object store must pass.
 *
 * @module
 */
import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import {
  InvalidKeyError,
  ObjectExistsError,
  ObjectNotFoundError,
  type ObjectStore,
  RangeNotSatisfiableError,
} from "../../../data/objects/store.ts";

/** An empty store, which is disposed of after a test. */
export interface Opened extends AsyncDisposable {
  readonly store: ObjectStore;
  /** Returns the names of what unfinished puts left behind. */
  readonly leftovers: () => Promise<string[]>;
}

const MIB = 1024 * 1024;
const BAD_KEYS = [
  "",
  "/",
  "a/",
  "/a",
  "a//b",
  ".",
  "..",
  "a/../b",
  "../b",
  "a b",
  "a\\b",
  "ä",
  "a+b",
  "a\0",
  "a%2e",
];

/** Registers the tests of one store. `open` opens an empty store for each test. */
export function conformance(name: string, ignore: boolean, open: () => Promise<Opened>): void {
  const test = (title: string, fn: (opened: Opened) => Promise<void>) =>
    Deno.test({
      name: `${name}: ${title}`,
      ignore,
      fn: async () => {
        await using opened = await open();
        await fn(opened);
      },
    });

  test("returns the stored bytes, and the same properties from every method", async ({ store }) => {
    const info = await store.put("jobs/job_1/last-state.bin", bytes(1000));
    expect(info).toMatchObject({ key: "jobs/job_1/last-state.bin", size: 1000 });
    expect(info.etag).toMatch(/^[^"]+$/);
    const { body, ...found } = await store.get("jobs/job_1/last-state.bin");
    expect(await collect(body)).toEqual(bytes(1000));
    expect(found).toMatchObject({ key: info.key, size: 1000, etag: info.etag });
    expect(await store.head(info.key)).toEqual(found);
    expect(await all(store, "")).toEqual([found]);
    expect(Math.abs(found.modifiedAt.getTime() - Date.now())).toBeLessThan(60_000);
  });

  test("finds no object under an unused key", async ({ store }) => {
    await store.put("a/b", bytes(1));
    for (const key of ["nothing", "a", "a/c", "a/b.c", "b/c"]) {
      expect(await store.head(key)).toBe(null);
      await expect(store.get(key)).rejects.toThrow(ObjectNotFoundError);
    }
  });

  test("keeps an empty object", async ({ store }) => {
    await store.put("array", new Uint8Array());
    await store.put("stream", new Blob([]).stream());
    for (const key of ["array", "stream"]) {
      const { size, body } = await store.get(key);
      expect(size).toBe(0);
      expect((await collect(body)).length).toBe(0);
      expect((await store.head(key))?.size).toBe(0);
      await expect(store.get(key, { range: { start: 0 } })).rejects.toThrow(RangeNotSatisfiableError);
    }
  });

  test("replaces an object, with another etag even for the same size", async ({ store }) => {
    const first = await store.put("x", bytes(100, 1));
    const second = await store.put("x", bytes(100, 2));
    expect(second.etag).not.toBe(first.etag);
    expect(await read(store, "x")).toEqual(bytes(100, 2));
    expect((await all(store, "")).length).toBe(1);
  });

  test("returns another etag for every version of a key", async ({ store }) => {
    const etags = new Set<string>();
    for (let round = 0; round < 20; round++) {
      etags.add((await store.put("x", bytes(10, round))).etag);
      if (round % 3 === 0) await store.delete("x");
    }
    expect(etags.size).toBe(20);
  });

  test("reads ranges", async ({ store }) => {
    await store.put("x", bytes(1000));
    const cases = [
      { range: { start: 0, end: 0 }, from: 0, to: 1 },
      { range: { start: 10, end: 19 }, from: 10, to: 20 },
      { range: { start: 990 }, from: 990, to: 1000 },
      { range: { start: 999, end: 5000 }, from: 999, to: 1000 },
      { range: { start: 0 }, from: 0, to: 1000 },
    ];
    for (const { range, from, to } of cases) {
      const found = await store.get("x", { range });
      expect(found.range).toEqual({ start: from, end: to - 1 });
      expect(found.size).toBe(1000);
      expect(await collect(found.body)).toEqual(bytes(1000).slice(from, to));
    }
    expect((await closed(store.get("x"))).range).toBe(undefined);
    const past = await store.get("x", { range: { start: 1000 } }).catch((error) => error);
    expect(past).toBeInstanceOf(RangeNotSatisfiableError);
    expect(past.size).toBe(1000);
    await expect(store.get("x", { range: { start: 5, end: 4 } })).rejects.toThrow(RangeError);
    await expect(store.get("x", { range: { start: -5 } })).rejects.toThrow("must be a whole number from 0");
    await expect(store.get("y", { range: { start: 0 } })).rejects.toThrow(ObjectNotFoundError);
  });

  test("lists by prefix in the order of the keys", async ({ store }) => {
    const keys = ["a-b", "a.b", "a/b", "a/b-c/d", "a/c/e", "a0", "aa/b", "B/x", "b/x", "b/x.y", "b/y/z"];
    for (const key of [...keys].reverse()) await store.put(key, bytes(1));
    const listed = async (prefix: string) => (await all(store, prefix)).map(({ key }) => key);
    expect(await listed("")).toEqual([...keys].sort());
    for (
      const prefix of ["a", "a/", "a/b", "a/b-c", "a/b-c/", "b/x", "b/y/z", "B/", "nothing/", "a/b-c/d.e"]
    ) {
      expect(await listed(prefix)).toEqual([...keys].sort().filter((key) => key.startsWith(prefix)));
    }
    for (const [prefix, after] of [["a/", "a/b"], ["a/", "a/b~"], ["", "a0"], ["b/", "a"], ["b/", "c"]]) {
      const found = await Array.fromAsync(store.list(prefix, { after }), ({ key }) => key);
      expect(found).toEqual([...keys].sort().filter((key) => key.startsWith(prefix) && key > after));
    }
  });

  test("deletes an object, and does nothing if there is none", async ({ store }) => {
    await store.put("a/b/c", bytes(1));
    await store.put("a/b/d", bytes(1));
    await store.delete("a/b/c");
    await store.delete("a/b/c");
    await store.delete("never/was");
    await store.delete("a/b");
    expect(await store.head("a/b/c")).toBe(null);
    expect((await all(store, "")).map(({ key }) => key)).toEqual(["a/b/d"]);
    await store.delete("a/b/d");
    await store.put("a", bytes(1));
    expect((await all(store, "")).map(({ key }) => key)).toEqual(["a"]);
  });

  test("refuses a second object with ifNoneMatch", async ({ store }) => {
    await store.put("x", bytes(10, 1), { ifNoneMatch: true });
    await expect(store.put("x", bytes(10, 2), { ifNoneMatch: true })).rejects.toThrow(ObjectExistsError);
    const { stream, ended } = source(20 * MIB);
    await expect(store.put("x", stream, { ifNoneMatch: true })).rejects.toThrow(ObjectExistsError);
    await ended;
    await expect(store.put("x", bytes(9 * MIB, 2), { ifNoneMatch: true })).rejects.toThrow(ObjectExistsError);
    expect(await read(store, "x")).toEqual(bytes(10, 1));
    await store.delete("x");
    await store.put("x", bytes(10, 3), { ifNoneMatch: true });
    expect(await read(store, "x")).toEqual(bytes(10, 3));
  });

  for (const [title, size] of [["small", 1000], ["large", 9 * MIB]] as const) {
    test(`lets one of several racing creates of ${title} objects win`, async ({ store, leftovers }) => {
      const results = await Promise.allSettled(
        Array.from({ length: 5 }, (_, i) => store.put("race/x", bytes(size, i), { ifNoneMatch: true })),
      );
      const winners = results.flatMap(({ status }, i) => status === "fulfilled" ? [i] : []);
      expect(winners.length).toBe(1);
      for (const result of results) {
        if (result.status === "rejected") expect(result.reason).toBeInstanceOf(ObjectExistsError);
      }
      expect(same(await read(store, "race/x"), bytes(size, winners[0]))).toBe(true);
      expect(await leftovers()).toEqual([]);
    });
  }

  test("keeps one whole object after racing replacements", async ({ store }) => {
    await Promise.all(Array.from({ length: 5 }, (_, i) => store.put("x", bytes(100_000, i))));
    const last = await read(store, "x");
    expect([0, 1, 2, 3, 4].filter((i) => same(last, bytes(100_000, i))).length).toBe(1);
  });

  test("stores a large stream and streams it back", async ({ store, leftovers }) => {
    const { stream, sent } = source(20 * MIB + 123);
    const info = await store.put("large/x", stream);
    expect(info.size).toBe(20 * MIB + 123);
    const found = await store.get("large/x");
    expect(found).toMatchObject({ size: info.size, etag: info.etag });
    expect(same(await collect(found.body), sent())).toBe(true);
    const part = await store.get("large/x", { range: { start: 8 * MIB - 5, end: 8 * MIB + 4 } });
    expect(await collect(part.body)).toEqual(sent().slice(8 * MIB - 5, 8 * MIB + 5));
    expect(await leftovers()).toEqual([]);
  });

  for (const size of [8 * MIB, 16 * MIB, 17 * MIB]) {
    test(`stores an array of ${size} bytes`, async ({ store }) => {
      const info = await store.put("x", bytes(size));
      expect(info.size).toBe(size);
      expect(same(await read(store, "x"), bytes(size))).toBe(true);
      expect(await store.head("x")).toMatchObject({ size, etag: info.etag });
    });
  }

  for (const size of [MIB, 30 * MIB]) {
    test(`leaves nothing of a put whose stream fails after ${size} bytes`, async ({ store, leftovers }) => {
      const { stream } = source(size, new Error("the source failed"));
      await expect(store.put("x", stream)).rejects.toThrow("the source failed");
      expect(await store.head("x")).toBe(null);
      expect(await all(store, "")).toEqual([]);
      expect(await leftovers()).toEqual([]);
    });
  }

  test("keeps the old object after an aborted put, and cancels the stream", async ({ store, leftovers }) => {
    await store.put("x", bytes(10));
    const abort = new AbortController();
    let sent = 0;
    const ended = Promise.withResolvers<unknown>();
    const stream = new ReadableStream<Bytes>({
      pull(controller) {
        // From here on the source sends nothing, like a stalled upload.
        if (++sent > 20) {
          return abort.abort(new Error("cancelled by the caller")), ended.promise.then(() => {});
        }
        controller.enqueue(bytes(MIB));
      },
      cancel: (reason) => ended.resolve(reason),
    });
    await expect(store.put("x", stream, { signal: abort.signal })).rejects.toThrow("cancelled by the caller");
    expect(await ended.promise).toMatchObject({ message: "cancelled by the caller" });
    expect(await read(store, "x")).toEqual(bytes(10));
    expect(await leftovers()).toEqual([]);
    await expect(store.put("y", bytes(10), { signal: abort.signal })).rejects.toThrow(
      "cancelled by the caller",
    );
    expect((await all(store, "")).map(({ key }) => key)).toEqual(["x"]);
  });

  test("refuses a stream of text", async ({ store }) => {
    const stream = new Blob(["text"]).stream().pipeThrough(new TextDecoderStream());
    await expect(store.put("x", stream as never)).rejects.toThrow("must yield Uint8Array");
    expect(await store.head("x")).toBe(null);
  });

  test("continues to read the old object while it is replaced", async ({ store }) => {
    await store.put("x", bytes(4 * MIB, 1));
    const replaced = await store.get("x");
    const reader = replaced.body.getReader();
    const first = (await reader.read()).value!;
    await store.put("x", bytes(4 * MIB, 2));
    const rest = await collectReader(reader, first);
    expect(same(rest, bytes(4 * MIB, 1))).toBe(true);
    expect(same(await read(store, "x"), bytes(4 * MIB, 2))).toBe(true);
  });

  test("ends a body that is cancelled or aborted", async ({ store }) => {
    await store.put("x", bytes(4 * MIB));
    await closed(store.get("x"));
    const { body } = await store.get("x");
    const reader = body.getReader();
    await reader.read();
    await reader.cancel();
    const abort = new AbortController();
    const aborted = await store.get("x", { signal: abort.signal });
    const other = aborted.body.getReader();
    await other.read();
    abort.abort(new Error("gone"));
    await expect(collectReader(other)).rejects.toThrow("gone");
    await expect(store.get("x", { signal: abort.signal })).rejects.toThrow("gone");
  });

  test("refuses invalid keys in every method", async ({ store }) => {
    for (const key of [...BAD_KEYS, "x".repeat(513)]) {
      await expect(store.put(key, bytes(1))).rejects.toThrow(InvalidKeyError);
      await expect(store.get(key)).rejects.toThrow(InvalidKeyError);
      await expect(store.head(key)).rejects.toThrow(InvalidKeyError);
      await expect(store.delete(key)).rejects.toThrow(InvalidKeyError);
      if (key !== "" && key !== "a/") await expect(all(store, key)).rejects.toThrow(InvalidKeyError);
    }
    expect(await all(store, "")).toEqual([]);
  });

  test("accepts every valid key", async ({ store }) => {
    const keys = [
      "x",
      "-_.",
      "...",
      ".hidden/.x",
      "A/b-C_d.e",
      "tmp",
      `${"s".repeat(60)}/${"t".repeat(200)}`,
    ];
    for (const key of keys) await store.put(key, bytes(3));
    for (const key of keys) expect(await read(store, key)).toEqual(bytes(3));
    expect((await all(store, "")).map(({ key }) => key)).toEqual([...keys].sort());
  });
}

/** Creates bytes that depend on the seed and the offset. */
export function bytes(length: number, seed = 0): Bytes {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + (i >> 8) + seed * 101) & 255;
  return out;
}

/** Reads a whole stream. */
export async function collect(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return await new Response(stream as ReadableStream<Bytes>).bytes();
}

/** Reads a whole object. */
export async function read(store: ObjectStore, key: string): Promise<Uint8Array> {
  return await collect((await store.get(key)).body);
}

/** Lists all objects with a prefix. */
export async function all(store: ObjectStore, prefix: string) {
  return await Array.fromAsync(store.list(prefix));
}

/** Compares large arrays. `expect` would take seconds. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Creates a stream of unequal chunks that ends with an error, if one is passed. */
function source(size: number, error?: Error) {
  const data = bytes(size, 7);
  const ended = Promise.withResolvers<void>();
  let offset = 0;
  const stream = new ReadableStream<Bytes>({
    pull(controller) {
      const chunk = data.slice(offset, offset += 700_001);
      if (chunk.length > 0) return controller.enqueue(chunk);
      ended.resolve();
      if (error) controller.error(error);
      else controller.close();
    },
    cancel: () => ended.resolve(),
  });
  return { stream, sent: () => data, ended: ended.promise };
}

async function closed<T extends { body: ReadableStream }>(found: Promise<T>): Promise<T> {
  await (await found).body.cancel();
  return await found;
}

async function collectReader(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  first = new Uint8Array(),
): Promise<Uint8Array> {
  const chunks = [first.slice()];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return await new Response(new Blob(chunks)).bytes();
    chunks.push(value.slice());
  }
}
