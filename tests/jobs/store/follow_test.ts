import { expect } from "expect";
import { pause } from "../../../data/backoff.ts";
import type { JobEvent } from "../../../jobs/store/events/event.ts";
import type { Claim } from "../../../jobs/store/queue/claim.ts";
import { JobStore } from "../../../jobs/store/store.ts";
import { uniform } from "../../../model/random.ts";
import { counting, readsOf } from "../../setup/countingKv.ts";
import { withOverrides } from "../../setup/overrides.ts";
import { claimed, NO_OBJECTS, trainedJob, withStore } from "../fixtures.ts";

const log = (claim: Claim, ...messages: string[]) =>
  claim.record({ logs: messages.map((message) => ({ level: "info" as const, message })) });

/** Reads `count` events. */
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
    const others = Array.from({ length: 50 }, () => shared.follow(id, after));
    const events = 6;
    for (let i = 0; i < events; i++) {
      const next = Promise.all([...few, ...others].map((follower) => take(follower, 1)));
      await log(claim, `${i}`);
      for (const [event] of await next) expect(event.message).toBe(`${i}`);
    }
    // Both polled for the same time. Because of jitter, their numbers of calls differ by less than a factor of two.
    expect(many.reads.calls).toBeLessThan(3 * one.reads.calls);
    const last = Promise.all([...few, ...others].map((follower) => follower.next()));
    await claim.finish({ type: "succeeded", result: {} });
    await last;
    const entriesOfEvents = events + 1;
    for (const { reads } of [one, many]) {
      // Each poll reads the row. All other reads are of events.
      expect(reads.entries).toBeGreaterThanOrEqual(entriesOfEvents);
      expect(reads.entries).toBeLessThanOrEqual(reads.calls + entriesOfEvents);
    }
    for (const follower of [...few, ...others]) expect((await follower.next()).done).toBe(true);
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
      const followers: Promise<{ after: number; received: JobEvent[] }>[] = [];
      const follow = async (after: number, pauseEvery: number) => {
        const received: JobEvent[] = [];
        for await (const event of store.follow(id, after)) {
          received.push(event);
          if (pauseEvery > 0 && received.length % pauseEvery === 0) {
            await pause(1);
          }
        }
        return { after, received };
      };
      for (let i = 0; i < 40; i++) {
        const after = Math.floor(draws[2 * i] * 15 * i);
        followers.push(follow(after, draws[2 * i + 1] < 0.5 ? 0 : 1 + Math.floor(draws[2 * i + 1] * 20)));
        await log(claim, ...Array.from({ length: 15 }, (_, j) => `${i} ${j}`));
      }
      await claim.finish({ type: "succeeded", result: {} });
      const all = await store.events(id, { limit: 1000 });
      expect(all.length).toBe(603);
      for (const { after, received } of await Promise.all(followers)) {
        expect(received).toEqual(all.filter(({ seq }) => seq > after));
      }
    }));
}

Deno.test("follow: a follower that stops reading for 400 events continues without a gap", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const slow = store.follow(id);
    const received = await take(slow, 2);
    const fast = Array.fromAsync(store.follow(id));
    for (let i = 0; i < 40; i++) {
      await log(claim, ...Array.from({ length: 10 }, (_, j) => `${i} ${j}`));
    }
    await claim.finish({ type: "succeeded", result: {} });
    const all = await store.events(id, { limit: 1000 });
    expect(await fast).toEqual(all);
    received.push(...await Array.fromAsync(slow));
    expect(received).toEqual(all);
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
    const received = await Array.fromAsync(slow);
    const seqs = received.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(received.filter(({ type }) => type !== "progress").map(({ message }) => message))
      .toEqual(["Running", "step 150", "step 300", "step 450", "Succeeded"]);
  }));

Deno.test("finished: waits for the end without reading events, until the signal is aborted", () =>
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

/** Returns a database whose polls fail with `error`, unless it is null. */
function failing(kv: Deno.Kv): { kv: Deno.Kv; fault: { error: Error | null; count: number } } {
  const fault: { error: Error | null; count: number } = { error: null, count: 0 };
  const faulty = withOverrides(kv, {
    getMany(keys: Deno.KvKey[]) {
      if (fault.error === null) return kv.getMany(keys);
      fault.count++;
      return Promise.reject(fault.error);
    },
  });
  return { kv: faulty, fault };
}

Deno.test("follow: no event is missed in an outage of the database", () =>
  withStore(async ({ kv, running }) => {
    const { id, claim } = await running();
    const { kv: faulty, fault } = failing(kv), store = new JobStore(faulty);
    const follower = store.follow(id, 2);
    const first = follower.next();
    await log(claim, "before");
    expect((await first).value!.message).toBe("before");

    fault.error = new TypeError("error sending request: connection refused");
    const second = follower.next(), end = store.finished(id);
    await log(claim, "during");
    await claim.finish({ type: "succeeded", result: {} });
    while (fault.count < 3) await pause(5);
    fault.error = null;
    expect((await second).value!.message).toBe("during");
    expect((await Array.fromAsync(follower)).map(({ message }) => message)).toEqual(["Succeeded"]);
    expect((await end)!.status).toBe("succeeded");
  }));

Deno.test("follow: a permanent error ends every follower, and a later follower can start", () =>
  withStore(async ({ kv, queued }) => {
    const { kv: faulty, fault } = failing(kv), store = new JobStore(faulty);
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

Deno.test("events: a page begins after a number, and its events are in order", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    for (let i = 0; i < 8; i++) await claim.record({ logs: [{ level: "info", message: `${i}` }] });
    const all = await store.events(id);
    expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await store.events(id, { after: 4, limit: 3 })).toEqual(all.slice(4, 7));
    expect(await store.events(id, { after: 10 })).toEqual([]);
    for (const limit of [0, 1001]) {
      const read = async () => await store.events(id, { limit });
      await expect(read()).rejects.toThrow(
        `limit must be a whole number from 1 to 1000: current value is ${limit}`,
      );
    }
  }));

Deno.test("follow: yields all events in order as they occur, and ends with the job", () =>
  withStore(async ({ store, queued, runner }) => {
    const id = await queued();
    const received: string[] = [];
    let finish: Promise<unknown> | undefined;
    for await (const { seq, message } of store.follow(id)) {
      received.push(`${seq} ${message}`);
      // The run starts after the first event was received.
      if (message === "Queued") {
        finish = (async () => {
          const queue = runner(), claim = await claimed(queue);
          await claim.record({ logs: [{ level: "info", message: "one" }] });
          await claim.record({ logs: [{ level: "info", message: "two" }] });
          await claim.finish({ type: "succeeded", result: {} });
        })();
      }
    }
    await finish;
    expect(received).toEqual(["1 Queued", "2 Running", "3 one", "4 two", "5 Succeeded"]);
  }));

Deno.test("follow: yields the events of a finished job after a number, and ends", () =>
  withStore(async (setting) => {
    const { store } = setting;
    const { id } = await trainedJob(setting, 60);
    const all = await store.events(id, { limit: 1000 });
    expect(all.length).toBeGreaterThan(100);
    for (const after of [0, 1, 50, all.length - 1, all.length, all.length + 5]) {
      expect(await Array.fromAsync(store.follow(id, after))).toEqual(all.slice(after));
    }
  }));

Deno.test("follow: ends when the signal is aborted, when the job is deleted, and for an unknown job", () =>
  withStore(async ({ store, queued }) => {
    expect(await Array.fromAsync(store.follow("job_none"))).toEqual([]);

    const beforeAbort: string[] = [], reader = new AbortController();
    for await (const { message } of store.follow(await queued(), 0, reader.signal)) {
      beforeAbort.push(message);
      reader.abort();
    }
    expect(beforeAbort).toEqual(["Queued"]);

    const id = await queued(), received: string[] = [];
    for await (const { message } of store.follow(id)) {
      received.push(message);
      await store.delete(id, NO_OBJECTS);
    }
    expect(received).toEqual(["Queued"]);
  }));
