import { expect } from "expect";
import { LocalStore } from "../../data/objects/local/localStore.ts";
import { ObjectExistsError, type ObjectStore, StorageUnavailableError } from "../../data/objects/store.ts";
import { RetryingStore } from "../../jobs/runner/retryingStore.ts";
import { faultyStore } from "./faultyStore.ts";

const bytes = (size: number) => Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) % 251);
const read = async (store: ObjectStore, key: string) =>
  new Uint8Array(await new Response((await store.get(key)).body).arrayBuffer());

async function withStore(test: (store: LocalStore) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await test(new LocalStore(folder));
  await Deno.remove(folder, { recursive: true });
}

function retrying(inner: ObjectStore, maxWaitMs = 60_000) {
  const lines: string[] = [];
  const stop = new AbortController();
  const store = new RetryingStore(inner, {
    maxWaitMs,
    signal: stop.signal,
    log: (level, message) => lines.push(`${level}: ${message}`),
  });
  return { store, lines, stop };
}

for (const when of ["before", "after"] as const) {
  Deno.test(`a retrying store: each call takes effect once if any of them fails ${when} it takes effect`, () =>
    withStore(async (local) => {
      for (let nth = 1; nth <= 8; nth++) {
        const key = `a/${when}-${nth}`;
        const { store, lines } = retrying(faultyStore(local, { nth, times: 2, when }));
        const content = bytes(300_000);
        await store.put(`${key}/plain`, content);
        await store.put(`${key}/fresh`, content, { ifNoneMatch: true });
        await expect(store.put(`${key}/fresh`, bytes(5), { ifNoneMatch: true })).rejects.toBeInstanceOf(
          ObjectExistsError,
        );
        expect(await read(store, `${key}/plain`)).toEqual(content);
        expect((await store.head(`${key}/fresh`))?.size).toBe(content.length);
        expect((await Array.fromAsync(store.list(`${key}/`))).map((found) => found.key)).toEqual([
          `${key}/fresh`,
          `${key}/plain`,
        ]);
        await store.delete(`${key}/plain`);
        expect(await store.head(`${key}/plain`)).toBe(null);
        expect(lines).toEqual([
          "warning: Object storage is unavailable: planned fault; waiting",
          expect.stringMatching(/^info: Object storage is available again after/),
        ]);
      }
    }));
}

Deno.test("a retrying store: a put of a stream is retried if the stream can be reopened", () =>
  withStore(async (local) => {
    const content = bytes(300_000), reopen = () => new Blob([content]).stream();
    const faults = { nth: 1, times: 2, when: "before" } as const;
    await retrying(faultyStore(local, faults)).store.put("x", reopen(), { reopen });
    expect(await read(local, "x")).toEqual(content);
    await expect(retrying(faultyStore(local, faults)).store.put("y", reopen())).rejects.toBeInstanceOf(
      StorageUnavailableError,
    );
    expect(await local.head("y")).toBe(null);
  }));

Deno.test("a retrying store: a body that fails in the middle continues at the same byte", () =>
  withStore(async (local) => {
    const content = bytes(1_000_000);
    await local.put("x", content);
    const { store } = retrying(
      faultyStore(local, { nth: 1, times: 0, when: "before", bodyFailsAfter: 300_000 }),
    );
    expect(await read(store, "x")).toEqual(content);
    const { body } = await store.get("x", { range: { start: 10, end: 700_000 } });
    expect(new Uint8Array(await new Response(body).arrayBuffer())).toEqual(content.subarray(10, 700_001));
  }));

Deno.test("a retrying store: after the longest wait the call throws the error, and later calls do not wait", () =>
  withStore(async (local) => {
    const { store, lines } = retrying(faultyStore(local, { nth: 1, times: Infinity, when: "before" }), 150);
    await expect(store.put("x", bytes(3))).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(store.waitedMs).toBeGreaterThan(150);
    await expect(store.delete("x")).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(lines).toEqual(["warning: Object storage is unavailable: planned fault; waiting"]);
  }));

Deno.test("a retrying store: aborting the signal ends the wait", () =>
  withStore(async (local) => {
    const { store, stop } = retrying(faultyStore(local, { nth: 1, times: Infinity, when: "before" }));
    const put = store.put("x", bytes(3));
    const reason = new Error("cancelled");
    stop.abort(reason);
    expect(await put.catch((error) => error)).toBe(reason);
  }));
