import { expect } from "expect";
import type { ObjectStore, PutOptions } from "../../../data/objects/store.ts";
import type { KindEvent } from "../../../jobs/kinds/kind.ts";
import { runJob } from "../../../jobs/kinds/mod.ts";
import { eventsOf, KindHarness } from "./harness.ts";
import { Trap } from "./trap.ts";

const PROBE = {
  kind: "linear_probe",
  dataset: { id: "digits", size: 64 },
  model: { patch_size: 7, embed_dim: 16, depth: 1, num_heads: 2 },
  batch_size: 16,
};

/** Returns the store. `before` is called before each put, which waits for its result. */
function delayed(
  store: ObjectStore,
  before: (key: string, options: PutOptions) => Promise<void>,
): ObjectStore {
  const put: ObjectStore["put"] = async (key, body, options = {}) => {
    await before(key, options);
    return await store.put(key, body, options);
  };
  return new Proxy(store, {
    get(target, name: keyof ObjectStore) {
      if (name === "put") return put;
      const member = target[name];
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

Deno.test("a run that is stopped while it writes a checkpoint ends at once, and leaves no object", async () => {
  await using harness = await KindHarness.open();
  for (const body of [{ ...PROBE, epochs: 1 }, { ...PROBE, kind: "pretrain", max_steps: 1 }]) {
    const stop = new AbortController();
    let puts = 0;
    const store = delayed(harness.store, async (_, { signal }) => {
      if (++puts < 2) return;
      // The second object takes for ever.
      const stopped = Promise.withResolvers<void>();
      signal!.addEventListener("abort", () => stopped.reject(signal!.reason));
      stop.abort(new Error("stopped"));
      await stopped.promise;
    });
    await expect(harness.run(body, { store, signal: stop.signal })).rejects.toThrow("stopped");
    expect(puts).toBe(2);
    expect(await Array.fromAsync(harness.store.list("checkpoints/"))).toEqual([]);
  }
});

Deno.test("a checkpoint of a probe has the values of its step, although later steps run while it is written", async () => {
  await using harness = await KindHarness.open();
  const digests = (events: KindEvent[]) =>
    eventsOf(events, "checkpoint").map(({ checkpoint: { step, sha256, stateSha256 } }) => {
      return { step, sha256, stateSha256 };
    });
  // The last checkpoint of a probe is written after its last step.
  const short = await harness.run({ ...PROBE, max_steps: 4 }),
    whole = await harness.run({ ...PROBE, epochs: 2 });
  const expected = [...digests(short), digests(whole).at(-1)];
  expect(expected).toMatchObject([{ step: 4 }, { step: 8 }]);

  const trained = Promise.withResolvers<void>(), events: KindEvent[] = [];
  const store = delayed(harness.store, () => trained.promise);
  for await (const event of runJob(harness.context({ ...PROBE, epochs: 2 }, { store }))) {
    events.push(structuredClone(event));
    if (event.type === "steps" && event.steps.at(-1)!.step === 8) trained.resolve();
  }
  expect(digests(events)).toEqual(expected);
});

Deno.test("a probe that fails while it writes a checkpoint reports the checkpoint first", async () => {
  await using harness = await KindHarness.open();
  const failed = Promise.withResolvers<void>(), events: KindEvent[] = [];
  const store = delayed(harness.store, () => failed.promise);
  using trap = new Trap(() => {
    const isWriting = eventsOf(events, "saving").length > 0;
    if (isWriting) failed.resolve();
    return isWriting;
  });
  const run = async () => {
    for await (const event of runJob(harness.context({ ...PROBE, epochs: 2 }, { store }))) events.push(event);
  };
  expect(await run().catch((error) => error)).toBe(trap.error);
  expect(eventsOf(events, "checkpoint").map(({ checkpoint }) => checkpoint.step)).toEqual([4]);
});
