import { expect } from "expect";
import { JOB_LIMITS } from "../../../jobs/requests/limits.ts";
import { LEASE_MS } from "../../../jobs/store/queue/lease.ts";
import { type Outcome, RESULT_BYTES, resultBytes } from "../../../jobs/store/queue/outcome.ts";
import { InvalidTransitionError } from "../../../jobs/store/store.ts";
import { claimed, withStore } from "../fixtures.ts";
import { progressAt } from "./steps.ts";

Deno.test("finish: each outcome leads to its status", async (t) => {
  const error = { code: "no_batches", message: "too few images" };
  const outcomes: [Outcome, Record<string, unknown>, string][] = [
    [
      { type: "succeeded", result: { loss: 0.5 } },
      { status: "succeeded", result: { loss: 0.5 } },
      "Succeeded",
    ],
    [{ type: "failed", error }, { status: "failed", error, result: null }, "Failed: too few images"],
    [{ type: "cancelled" }, { status: "cancelled", error: null }, "Cancelled"],
    [
      { type: "released" },
      { status: "queued", interruptions: 0 },
      "Back in the queue: its runner was lost or shut down",
    ],
  ];
  for (const [outcome, expected, message] of outcomes) {
    await t.step(outcome.type, () =>
      withStore(async ({ store, clock, running }) => {
        const { id, queue, claim } = await running();
        await claim.record({ progress: progressAt(4) });
        clock.advance(1000);
        const job = await claim.finish(outcome);
        expect(job).toMatchObject({
          ...expected,
          finishedAt: outcome.type === "released" ? null : clock.text,
          progress: { step: 4, imagesPerSecond: null, etaSeconds: null },
        });
        expect(await store.get(id)).toEqual(job);
        expect((await store.events(id)).at(-1)!.message).toBe(message);
        const again = await queue.claim();
        expect(again?.job.id ?? null).toBe(outcome.type === "released" ? id : null);
        clock.advance(10 * LEASE_MS);
        expect(await queue.reap()).toMatchObject(outcome.type === "released" ? [{ id }] : []);
      }));
  }
});

Deno.test("finish: a cancelled job ends when its runner releases it", () =>
  withStore(async ({ store, running }) => {
    const { id, queue, claim } = await running();
    await store.cancel(id);
    expect(await claim.finish({ type: "released" })).toMatchObject({ status: "cancelled" });
    expect(await queue.claim()).toBeNull();
  }));

Deno.test("finish: a job that succeeds before its runner reads the cancel request has succeeded", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    await store.cancel(id);
    expect(await claim.finish({ type: "succeeded", result: {} })).toMatchObject({
      status: "succeeded",
    });
    await expect(store.cancel(id)).rejects.toThrow(InvalidTransitionError);
  }));

Deno.test("finish: a long error code and a long message are shortened", () =>
  withStore(async ({ running }) => {
    const { claim } = await running();
    const error = { code: "c".repeat(100), message: "m".repeat(5000) };
    const job = await claim.finish({ type: "failed", error });
    expect(job.error).toEqual({ code: "c".repeat(64), message: "m".repeat(2000) });
  }));

Deno.test("finish: a result that is too large fails the job, and the error has its size", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const result = { text: "x".repeat(RESULT_BYTES) };
    const job = await claim.finish({ type: "succeeded", result });
    expect(job).toMatchObject({ status: "failed", result: null, error: { code: "result_too_large" } });
    expect(job.error!.message).toContain(`${RESULT_BYTES}`);
    expect(await store.get(id)).toEqual(job);
  }));

Deno.test("finish: a result of the maximum size fits in the row of the largest job", async (t) => {
  const metadata = Object.fromEntries(Array.from({ length: JOB_LIMITS.metadataKeys }, (_, i) => [
    String(i).padEnd(JOB_LIMITS.metadataKeyLength, "键"),
    "値".repeat(JOB_LIMITS.metadataValueLength),
  ]));
  /** Returns the longest result that fits. The size of `fill(n)` grows with n. */
  const longest = (fill: (n: number) => Record<string, unknown>) => {
    let low = 0, high = RESULT_BYTES;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (resultBytes(fill(middle)) <= RESULT_BYTES) low = middle;
      else high = middle - 1;
    }
    return fill(low);
  };
  const results = {
    "plain text": longest((n) => ({ text: "x".repeat(n) })),
    "text of two bytes a character": longest((n) => ({ text: "語".repeat(n) })),
    "whole numbers": longest((n) => ({ counts: new Array(n).fill(7) })),
    "fractions of few digits": longest((n) => ({ values: new Array(n).fill(0.5) })),
    "many small objects": longest((n) => ({ list: Array.from({ length: n }, () => ({})) })),
  };
  for (const [name, result] of Object.entries(results)) {
    await t.step(name, () =>
      withStore(async ({ store, queued, runner }) => {
        const id = await queued({ metadata, name: "名".repeat(JOB_LIMITS.nameLength) });
        const queue = runner();
        const claim = await claimed(queue);
        for (let step = 1; step <= 100; step++) await claim.record({ progress: progressAt(step) });
        const job = await claim.finish({ type: "succeeded", result });
        expect(job.status).toBe("succeeded");
        expect((await store.get(id))!.result).toEqual(result);
      }));
  }
});

Deno.test("failInterrupted: only the queued jobs that an outage interrupted fail", () =>
  withStore(async ({ store, runner, queued, running }) => {
    const { id, claim } = await running();
    const other = await queued();
    await claim.finish({
      type: "outage",
      cause: "Object storage is unavailable: no answer",
      waitedMs: 0,
    });
    const [event] = (await store.events(id)).slice(-1);
    expect(event).toMatchObject({
      type: "status",
      message: "Back in the queue: Object storage is unavailable: no answer",
      data: { status: "queued", cause: "Object storage is unavailable: no answer" },
    });
    expect(await runner("another").failInterrupted("for a day")).toEqual([id]);
    expect(await store.get(id)).toMatchObject({
      status: "failed",
      error: { code: "storage_unavailable", message: "for a day" },
    });
    expect(await store.get(other)).toMatchObject({ status: "queued" });
  }));
