import { expect } from "expect";
import type { JobEvent } from "../../../jobs/store/events/event.ts";
import type { Claim } from "../../../jobs/store/queue/claim.ts";
import { JobStore } from "../../../jobs/store/store.ts";
import { uniform } from "../../../model/random.ts";
import { counting, readsOf } from "../../setup/countingKv.ts";
import { withStore } from "../fixtures.ts";

const log = (claim: Claim, ...messages: string[]) =>
  claim.record({ logs: messages.map((message) => ({ level: "info" as const, message })) });

/** Reads the given number of events. */
async function take(events: AsyncGenerator<JobEvent, void>, count: number): Promise<JobEvent[]> {
  const taken: JobEvent[] = [];
  while (taken.length < count) taken.push((await events.next()).value!);
  return taken;
}

Deno.test("follow: 50 followers of a job poll as often as one follower, and read each event once", () =>
  withStore(async ({ kv, running }) => {
    const { id, claim } = await running();
    const [one, many] = [counting(kv), counting(kv)];
    const after = 2;
    const few = [new JobStore(one.kv).follow(id, after)];
    const shared = new JobStore(many.kv);
    const crowd = Array.from({ length: 50 }, () => shared.follow(id, after));
    const events = 6;
    for (let i = 0; i < events; i++) {
      const next = Promise.all([...few, ...crowd].map((follower) => take(follower, 1)));
      await log(claim, `${i}`);
      for (const [event] of await next) expect(event.message).toBe(`${i}`);
    }
    // Both watched for the same time. Because of jitter the numbers differ by less than a factor of two.
    expect(many.reads.calls).toBeLessThan(3 * one.reads.calls);
    const gone = Promise.all([...few, ...crowd].map((follower) => follower.next()));
    await claim.finish({ type: "succeeded", result: {} });
    await gone;
    const entriesOfEvents = events + 1;
    for (const { reads } of [one, many]) {
      // Each poll reads the row. All other reads are of events.
      expect(reads.entries).toBeGreaterThanOrEqual(entriesOfEvents);
      expect(reads.entries).toBeLessThanOrEqual(reads.calls + entriesOfEvents);
    }
    for (const follower of [...few, ...crowd]) expect((await follower.next()).done).toBe(true);
  }));

Deno.test("follow: followers receive the same event object, not copies", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const followers = [store.follow(id, 2), store.follow(id, 2)];
    const next = Promise.all(followers.map((follower) => follower.next()));
    await log(claim, "one");
    const [first, second] = await next;
    expect(first.value).toMatchObject({ message: "one" });
    expect(first.value).toBe(second.value);
    for (const follower of followers) await follower.return();
  }));

for (const seed of [1, 2]) {
  Deno.test(`follow: early, late, fast and slow followers receive all events from their position in order (seed ${seed})`, () =>
    withStore(async ({ store, running }) => {
      const { id, claim } = await running();
      const draws = uniform({ seed, purpose: "followers" }, 80);
      const followers: Promise<{ after: number; got: JobEvent[] }>[] = [];
      const follow = async (after: number, pauseEvery: number) => {
        const got: JobEvent[] = [];
        for await (const event of store.follow(id, after)) {
          got.push(event);
          if (pauseEvery > 0 && got.length % pauseEvery === 0) await new Promise((go) => setTimeout(go, 1));
        }
        return { after, got };
      };
      for (let i = 0; i < 40; i++) {
        const after = Math.floor(draws[2 * i] * 15 * i);
        followers.push(follow(after, draws[2 * i + 1] < 0.5 ? 0 : 1 + Math.floor(draws[2 * i + 1] * 20)));
        await log(claim, ...Array.from({ length: 15 }, (_, j) => `${i} ${j}`));
      }
      await claim.finish({ type: "succeeded", result: {} });
      const all = await store.events(id, { limit: 1000 });
      expect(all.length).toBe(603);
      for (const { after, got } of await Promise.all(followers)) {
        expect(got).toEqual(all.filter(({ seq }) => seq > after));
      }
    }));
}

Deno.test("follow: a follower that stops reading for 400 events continues without a gap", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const slow = store.follow(id);
    const got = await take(slow, 2);
    const quick = Array.fromAsync(store.follow(id));
    for (let i = 0; i < 40; i++) {
      await log(claim, ...Array.from({ length: 10 }, (_, j) => `${i} ${j}`));
    }
    await claim.finish({ type: "succeeded", result: {} });
    const all = await store.events(id, { limit: 1000 });
    expect(await quick).toEqual(all);
    got.push(...await Array.fromAsync(slow));
    expect(got).toEqual(all);
  }));

Deno.test("follow: a slow follower receives the remaining events in order after old progress was dropped", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const slow = store.follow(id);
    await take(slow, 1);
    const progress = { totalSteps: 900, epoch: 0, loss: 1, imagesPerSecond: null, etaSeconds: null };
    for (let step = 1; step <= 450; step++) {
      await claim.record({ progress: { ...progress, step } });
      if (step % 150 === 0) await log(claim, `step ${step}`);
    }
    await claim.finish({ type: "succeeded", result: {} });
    const got = await Array.fromAsync(slow);
    const seqs = got.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(got.filter(({ type }) => type !== "progress").map(({ message }) => message))
      .toEqual(["Running", "step 150", "step 300", "step 450", "Succeeded"]);
  }));

Deno.test("finished: waits for the end without reading events, and stops with its signal", () =>
  withStore(async ({ kv, running, queued, store }) => {
    const { id, claim } = await running();
    for (let i = 0; i < 30; i++) {
      await log(claim, ...Array.from({ length: 40 }, (_, j) => `${j}`));
    }
    const counted = counting(kv), reader = new JobStore(counted.kv);
    const reads = await readsOf(counted.reads, async () => {
      const waits = Promise.all(Array.from({ length: 20 }, () => reader.finished(id)));
      await claim.finish({ type: "succeeded", result: { loss: 1 } });
      for (const job of await waits) expect(job).toMatchObject({ status: "succeeded", result: { loss: 1 } });
    });
    expect(reads.entries).toBeLessThan(20);
    expect(await reader.finished("job_none")).toBeNull();
    expect(await reader.finished(await queued(), AbortSignal.abort())).toBeNull();
    const over = new AbortController();
    const waiting = store.finished(await queued(), over.signal);
    over.abort();
    expect(await waiting).toBeNull();
  }));

/** A database whose polls fail with `error`; they succeed if it is null. */
function failing(kv: Deno.Kv): { kv: Deno.Kv; fault: { error: Error | null; count: number } } {
  const fault: { error: Error | null; count: number } = { error: null, count: 0 };
  const proxy = new Proxy(kv, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (name !== "getMany") return typeof value === "function" ? value.bind(target) : value;
      return (keys: Deno.KvKey[]) => {
        if (fault.error === null) return target.getMany(keys);
        fault.count++;
        return Promise.reject(fault.error);
      };
    },
  });
  return { kv: proxy, fault };
}

Deno.test("follow: no event is missed in an outage of the database", () =>
  withStore(async ({ kv, running }) => {
    const { id, claim } = await running();
    const { kv: weak, fault } = failing(kv), store = new JobStore(weak);
    const follower = store.follow(id, 2);
    const first = follower.next();
    await log(claim, "before");
    expect((await first).value!.message).toBe("before");

    fault.error = new TypeError("error sending request: connection refused");
    const second = follower.next(), end = store.finished(id);
    await log(claim, "during");
    await claim.finish({ type: "succeeded", result: {} });
    while (fault.count < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    fault.error = null;
    expect((await second).value!.message).toBe("during");
    expect((await Array.fromAsync(follower)).map(({ message }) => message)).toEqual(["Succeeded"]);
    expect((await end)!.status).toBe("succeeded");
  }));

Deno.test("follow: an error that is not temporary ends every follower, and a later follower can start", () =>
  withStore(async ({ kv, queued }) => {
    const { kv: weak, fault } = failing(kv), store = new JobStore(weak);
    const id = await queued();
    const followers = [store.follow(id, 1), store.follow(id, 1)];
    const next = Promise.allSettled(followers.map((follower) => follower.next()));
    const end = store.finished(id);
    fault.error = new RangeError("a row that cannot be read");
    for (const result of await next) {
      expect(result).toMatchObject({ status: "rejected", reason: fault.error });
    }
    await expect(end).rejects.toThrow("a row that cannot be read");
    fault.error = null;
    const again = store.follow(id);
    expect((await again.next()).value!.message).toBe("Queued");
    await again.return();
  }));
