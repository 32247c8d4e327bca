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

function waiting(inner: ObjectStore, patienceMs = 60_000) {
  const lines: string[] = [];
  const stop = new AbortController();
  const store = new RetryingStore(inner, {
    patienceMs,
    signal: stop.signal,
    log: (level, message) => lines.push(`${level}: ${message}`),
  });
  return { store, lines, stop };
}

const fault = ["before", "after"] as const;
for (const when of fault) {
  Deno.test(`a run's store: whichever call fails ${when} it took effect, all is done once, and said once`, () =>
    withStore(async (local) => {
      for (let nth = 1; nth <= 8; nth++) {
        const key = `a/${when}-${nth}`;
        const { store, lines } = waiting(faultyStore(local, { nth, times: 2, when }));
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
          "warning: Object storage is unavailable: by plan; waiting",
          expect.stringMatching(/^info: Object storage is available again after/),
        ]);
      }
    }));
}

Deno.test("a run's store: a body that breaks in the middle goes on at the same byte", () =>
  withStore(async (local) => {
    const content = bytes(1_000_000);
    await local.put("x", content);
    const { store } = waiting(
      faultyStore(local, { nth: 1, times: 0, when: "before", breakBodiesAt: 300_000 }),
    );
    expect(await read(store, "x")).toEqual(content);
    const { body } = await store.get("x", { range: { start: 10, end: 700_000 } });
    expect(new Uint8Array(await new Response(body).arrayBuffer())).toEqual(content.subarray(10, 700_001));
  }));

Deno.test("a run's store: after its patience the error comes through, and later calls do not wait", () =>
  withStore(async (local) => {
    const { store, lines } = waiting(faultyStore(local, { nth: 1, times: Infinity, when: "before" }), 150);
    await expect(store.put("x", bytes(3))).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(store.waitedMs).toBeGreaterThan(150);
    await expect(store.delete("x")).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(lines).toEqual(["warning: Object storage is unavailable: by plan; waiting"]);
  }));

Deno.test("a run's store: the end of the run ends the wait", () =>
  withStore(async (local) => {
    const { store, stop } = waiting(faultyStore(local, { nth: 1, times: Infinity, when: "before" }));
    const put = store.put("x", bytes(3));
    const reason = new Error("cancelled");
    stop.abort(reason);
    expect(await put.catch((error) => error)).toBe(reason);
  }));
