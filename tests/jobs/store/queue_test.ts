import { expect } from "expect";
import { type JobProgress } from "../../../jobs/job.ts";
import type { Claim } from "../../../jobs/store/queue/claim.ts";
import { JobQueue } from "../../../jobs/store/queue/queue.ts";
import { LEASE_MS, LeaseLostError } from "../../../jobs/store/queue/lease.ts";
import { type Outcome, RESULT_BYTES, resultBytes } from "../../../jobs/store/queue/outcome.ts";
import { JOB_LIMITS } from "../../../jobs/requests/schemas.ts";
import { InvalidTransitionError } from "../../../jobs/store/store.ts";
import { MAX_INTERRUPTIONS } from "../../../jobs/transitions.ts";
import { checkpointOf, claimed, NO_OBJECTS, request, settingOn, withStore } from "../fixtures.ts";

const progressAt = (step: number): JobProgress => ({
  step,
  totalSteps: 100,
  epoch: 0,
  loss: 1 / step,
  imagesPerSecond: 1000,
  etaSeconds: 100 - step,
});
const point = (step: number, run = 0) => ({ step, epoch: 0, loss: 1 / step + run, lr: 1e-3 });
const points = (first: number, last: number, run = 0) =>
  Array.from({ length: last - first + 1 }, (_, i) => point(first + i, run));

Deno.test("claim: the oldest job that waits comes first", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids = [await queued(), await queued(), await queued()];
    const queue = runner("a");
    for (const id of ids) {
      const { job } = await claimed(queue);
      expect(job).toMatchObject({ id, status: "running", attempt: 1 });
      expect(await store.get(id)).toEqual(job);
    }
    expect(await queue.claim()).toBeNull();
  }));

Deno.test("claim: says in the job and its events when it started", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued();
    clock.advance(5000);
    const { job } = await claimed(runner());
    expect(job.startedAt).toBe(clock.text);
    const events = await store.events(id);
    expect(events.map(({ seq, type, message }) => [seq, type, message])).toEqual([
      [1, "status", "Queued"],
      [2, "status", "Running"],
    ]);
    expect(events[1].createdAt).toBe(clock.text);
    expect(events[1].data).toEqual({ status: "running", attempt: 1 });
  }));

Deno.test("claim: a job that was handed back goes before those that came after it", () =>
  withStore(async ({ store, queued, running }) => {
    const { id, queue, claim } = await running();
    const later = await queued();
    await claim.finish({ type: "released" });
    expect((await store.get(id))!.status).toBe("queued");
    expect((await claimed(queue)).job).toMatchObject({ id, attempt: 2 });
    expect((await claimed(queue)).job.id).toBe(later);
  }));

Deno.test("claim: leaves out what was cancelled or deleted while it waited", () =>
  withStore(async ({ store, queued, runner }) => {
    const [cancelled, deleted, kept] = [await queued(), await queued(), await queued()];
    await store.cancel(cancelled);
    await store.delete(deleted, NO_OBJECTS);
    const queue = runner();
    expect((await claimed(queue)).job.id).toBe(kept);
    expect(await queue.claim()).toBeNull();
  }));

Deno.test("claim: many runners at once get every job, and no job twice", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 60; i++) ids.push(await queued());
    const claims = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const queue = runner(`runner ${i}`), own: Claim[] = [];
      for (let claim = await queue.claim(); claim !== null; claim = await queue.claim()) own.push(claim);
      return own;
    }));
    const all = claims.flat();
    expect(all.map(({ job }) => job.id).sort()).toEqual(ids);
    expect(new Set(all.map(({ token }) => token)).size).toBe(60);
    expect(all.every(({ job }) => job.attempt === 1)).toBe(true);
    expect((await store.counts()).running).toBe(60);
  }));

Deno.test("claim: as many runners as jobs, each asking once at the same time, all get one", () =>
  withStore(async ({ queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 48; i++) ids.push(await queued());
    const claims = await Promise.all(ids.map((_, i) => runner(`runner ${i}`).claim()));
    expect(claims.map((claim) => claim?.job.id).sort()).toEqual(ids);
  }));

Deno.test("claim: runners of two processes on one database file never hold the same job", async () => {
  const folder = await Deno.makeTempDir();
  const kvs = [await Deno.openKv(`${folder}/jobs.db`), await Deno.openKv(`${folder}/jobs.db`)];
  try {
    const [first, second] = kvs.map((kv) => settingOn(kv));
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push(await first.queued());
    const claims = await Promise.all(
      [first, second].flatMap((setting, process) =>
        Array.from({ length: 3 }, async (_, i) => {
          const queue = setting.runner(`process ${process} runner ${i}`), own: string[] = [];
          for (let claim = await queue.claim(); claim !== null; claim = await queue.claim()) {
            own.push(claim.job.id);
          }
          return own;
        })
      ),
    );
    expect(claims.flat().sort()).toEqual(ids);
  } finally {
    for (const kv of kvs) kv.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("heartbeat: a lease lasts from the last renewal, whatever time has passed since the claim", () =>
  withStore(async ({ store, clock, running, runner }) => {
    const { id, claim } = await running();
    for (let beat = 0; beat < 10; beat++) {
      clock.advance(LEASE_MS - 1);
      expect(await claim.heartbeat()).toEqual({ cancelRequested: false });
      expect(await runner("other").reap()).toEqual([]);
    }
    clock.advance(LEASE_MS);
    expect(await runner("other").reap()).toEqual([]);
    clock.advance(1);
    expect(await runner("other").reap()).toMatchObject([{ id }]);
    expect((await store.get(id))!.status).toBe("queued");
  }));

Deno.test("heartbeat: beating often, each time before a fifth has passed, keeps the lease as well", () =>
  withStore(async ({ clock, running, runner }) => {
    const { claim } = await running();
    for (let beat = 0; beat < 100; beat++) {
      clock.advance(LEASE_MS / 20);
      await claim.heartbeat();
      expect(await runner("other").reap()).toEqual([]);
    }
  }));

Deno.test("heartbeat: a runner's own length of lease holds for its jobs", () =>
  withStore(async ({ clock, queued, runner }) => {
    const id = await queued();
    const queue = runner("patient", { leaseMs: 60_000 });
    const claim = await claimed(queue);
    clock.advance(60_000);
    expect(await runner("other").reap()).toEqual([]);
    await claim.heartbeat();
    clock.advance(60_001);
    expect(await runner("other").reap()).toMatchObject([{ id }]);
    expect(() => runner("hasty", { leaseMs: 99 })).toThrow(
      "leaseMs must be at least 100: current value is 99",
    );
    expect(() => runner("hasty", { leaseMs: NaN })).toThrow(RangeError);
  }));

Deno.test("heartbeat: tells of a cancel at the next beat, renewing or not", () =>
  withStore(async ({ store, clock, running }) => {
    const { id, claim } = await running();
    await store.cancel(id);
    expect(await claim.heartbeat()).toEqual({ cancelRequested: true });
    clock.advance(LEASE_MS / 2);
    expect(await claim.heartbeat()).toEqual({ cancelRequested: true });
  }));

Deno.test("heartbeat: a late one still counts when nobody took the lease", () =>
  withStore(async ({ clock, running, runner }) => {
    const { claim } = await running();
    clock.advance(10 * LEASE_MS);
    await claim.heartbeat();
    expect(await runner("other").reap()).toEqual([]);
  }));

Deno.test("fencing: a runner whose lease was taken writes nothing more, even when the job runs again", async (t) => {
  const update = {
    steps: points(6, 9, 1),
    progress: progressAt(9),
    epoch: { epoch: 0, step: 9, loss: 9, metrics: {} },
    logs: [{ level: "info", message: "I am still here" }],
  } as const;
  const states = ["queued again", "run by another", "finished by another", "cancelled", "deleted"] as const;
  for (const state of states) {
    await t.step(state, () =>
      withStore(async ({ store, clock, running, runner }) => {
        const { id, claim } = await running();
        await claim.record({ steps: points(1, 5), progress: progressAt(5) });
        if (state === "cancelled") await store.cancel(id);
        clock.advance(LEASE_MS + 1);
        const other = runner("other");
        expect(await other.reap()).toMatchObject([{ id }]);
        if (state === "run by another" || state === "finished by another") {
          const taken = await claimed(other);
          expect(taken.job.id).toBe(id);
          if (state === "finished by another") {
            await taken.finish({ type: "succeeded", result: { loss: 0.5 } });
          }
        }
        if (state === "deleted") await store.delete(id, NO_OBJECTS);

        const before = [await store.get(id), await store.events(id), await store.metrics(id)];
        const checkpoint = checkpointOf(id);
        const writes = [
          () => claim.heartbeat(),
          () => claim.record(update),
          () => claim.record({ checkpoint }),
          () => claim.finish({ type: "succeeded", result: {} }),
          () => claim.finish({ type: "failed", error: { code: "x", message: "x" } }),
          () => claim.finish({ type: "released" }),
        ];
        if (state !== "deleted") writes.push(() => claim.rewind(2) as never);
        for (const write of writes) {
          const error = await write().catch((error) => error);
          expect(error).toBeInstanceOf(LeaseLostError);
          expect(error.message).toBe(`The lease of job '${id}' was lost: another runner may have it`);
          expect(error.jobId).toBe(id);
        }
        expect([await store.get(id), await store.events(id), await store.metrics(id)]).toEqual(before);
        expect(await store.getCheckpoint(checkpoint.id)).toBeNull();
      }));
  }
});

Deno.test("fencing: a run that has ended writes nothing more", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const ended = await claim.finish({ type: "succeeded", result: { loss: 1 } });
    await expect(claim.record({ progress: progressAt(1) })).rejects.toThrow(LeaseLostError);
    await expect(claim.finish({ type: "failed", error: { code: "x", message: "x" } }))
      .rejects.toThrow(LeaseLostError);
    expect(await store.get(id)).toEqual(ended);
  }));

Deno.test("reap: a job goes back to the queue, and is given up when lost too often without a checkpoint", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued(), queue = runner();
    for (let lost = 1; lost <= MAX_INTERRUPTIONS; lost++) {
      expect((await claimed(queue)).job.attempt).toBe(lost);
      clock.advance(LEASE_MS + 1);
      expect(await runner("other").reap()).toMatchObject([{ id }]);
      expect((await store.get(id))!.interruptions).toBe(lost);
    }
    const job = (await store.get(id))!;
    expect(job).toMatchObject({ status: "failed", finishedAt: clock.text, error: { code: "runner_lost" } });
    expect(await queue.claim()).toBeNull();
    expect(await queue.reap()).toEqual([]);
    const events = await store.events(id);
    expect(events.map(({ data }) => data.status)).toEqual([
      ...Array.from({ length: MAX_INTERRUPTIONS }, () => ["queued", "running"]).flat(),
      "failed",
    ]);
    expect(events[2].message).toBe("Back in the queue: its runner was lost or shut down");
    expect(events.at(-1)).toMatchObject({ level: "error", message: `Failed: ${job.error!.message}` });
  }));

Deno.test("reap: a job that makes checkpoints is never given up", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued(), queue = runner();
    for (let lost = 1; lost <= 2 * MAX_INTERRUPTIONS; lost++) {
      await (await claimed(queue)).record({ checkpoint: checkpointOf(id, { step: lost }) });
      clock.advance(LEASE_MS + 1);
      await queue.reap();
    }
    expect(await store.get(id)).toMatchObject({ status: "queued", interruptions: 1 });
  }));

Deno.test("reap: takes only what has run out, and each lease once however many look", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const old = [await queued(), await queued(), await queued()];
    for (const _ of old) await claimed(runner());
    clock.advance(LEASE_MS);
    const young = await queued();
    await claimed(runner());
    clock.advance(1);
    const taken = await Promise.all(Array.from({ length: 8 }, (_, i) => runner(`reaper ${i}`).reap()));
    expect(taken.flat().map(({ id }) => id).sort()).toEqual(old);
    expect((await store.get(young))!.status).toBe("running");
    for (const id of old) expect(await store.get(id)).toMatchObject({ status: "queued", interruptions: 1 });
  }));

Deno.test("reap: a job whose end was asked for ends, and is not run again", () =>
  withStore(async ({ store, clock, running, queued: _, runner }) => {
    const { id } = await running();
    await store.cancel(id);
    clock.advance(LEASE_MS + 1);
    expect(await runner("other").reap()).toMatchObject([{ id }]);
    expect(await store.get(id)).toMatchObject({ status: "cancelled", finishedAt: clock.text });
    expect(await runner("other").claim()).toBeNull();
  }));

Deno.test("record: everything of an update is there, with its events in order", () =>
  withStore(async ({ store, clock, running }) => {
    const { id, claim } = await running();
    clock.advance(1234);
    const checkpoint = checkpointOf(id, { step: 3, metrics: { loss: 0.5 } });
    const epoch = { epoch: 0, step: 3, loss: 0.6111, metrics: { accuracy: 0.9 } };
    const backend = { name: "simd", notes: ["webgpu: no adapter"] };
    const job = await claim.record({
      backend,
      steps: points(1, 3),
      progress: progressAt(3),
      epoch,
      checkpoint,
      logs: [{ level: "warning", message: "slow" }],
    });
    expect(job).toMatchObject({
      status: "running",
      backend,
      progress: progressAt(3),
      latestCheckpoint: checkpoint.id,
    });
    expect(await store.get(id)).toEqual(job);
    expect(await store.metrics(id)).toEqual({ steps: points(1, 3), epochs: [epoch], next: null });
    expect(await store.getCheckpoint(checkpoint.id)).toEqual({ ...checkpoint, createdAt: clock.text });
    const events = await store.events(id, { after: 2 });
    expect(events.map(({ seq, type, level, message }) => [seq, type, level, message])).toEqual([
      [3, "log", "info", "Computing on simd"],
      [4, "progress", "info", "Step 3 of 100, loss 0.333333"],
      [5, "epoch", "info", "Epoch 1 ended at step 3, mean loss 0.611100"],
      [6, "checkpoint", "info", `Checkpoint ${checkpoint.id} at step 3`],
      [7, "log", "warning", "slow"],
    ]);
    expect(events[1].data).toEqual(progressAt(3));
    expect(events[3].data).toMatchObject({ checkpoint: checkpoint.id, step: 3, sha256: checkpoint.sha256 });
  }));

Deno.test("record: whoever reads meanwhile sees the whole of an update or nothing of it", () =>
  withStore(async ({ kv, running }) => {
    const { id, claim } = await running({ keep: { last: 1000 } });
    const updates = 30;
    const checkpoints = Array.from({ length: updates }, (_, i) => checkpointOf(id, { step: i + 1 }));
    let done = false;
    const writing = (async () => {
      for (let step = 1; step <= updates; step++) {
        await claim.record({
          steps: [point(step)],
          progress: progressAt(step),
          epoch: { epoch: step - 1, step, loss: 1, metrics: {} },
          checkpoint: checkpoints[step - 1],
        });
      }
      done = true;
    })();
    // One getMany is one moment of the database: the rows of an update must appear in it together.
    let looks = 0;
    const between = new Set<number>();
    while (!done) {
      const [row, steps, ...rest] = await kv.getMany<unknown[]>([
        ["job", id],
        ["steps", id, 0],
        ["epoch", id, 0],
        ...[0, 1, 2, 3, 4, 5, 6].map((i) => ["checkpoint", checkpoints[i].id]),
      ]);
      const { job } = row.value as { job: Claim["job"] };
      const step = job.progress?.step ?? 0;
      between.add(step);
      expect((steps.value as { steps: Uint32Array } | null)?.steps.length ?? 0).toBe(step);
      expect(rest[0].value !== null).toBe(step >= 1);
      rest.slice(1).forEach((entry, i) => expect(entry.value !== null).toBe(step >= i + 1));
      expect(job.latestCheckpoint).toBe(step === 0 ? null : checkpoints[step - 1].id);
      looks++;
    }
    await writing;
    expect(looks).toBeGreaterThan(0);
    expect(between.size).toBeGreaterThan(1);
  }));

Deno.test("record: an update that cannot be written leaves nothing behind", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const before = [await store.get(id), await store.events(id), await store.metrics(id)];
    const foreign = checkpointOf("job_other");
    await expect(claim.record({ steps: points(1, 2), checkpoint: foreign })).rejects.toThrow(
      `Checkpoint '${foreign.id}' belongs to job 'job_other', not '${id}'`,
    );
    await expect(claim.record({ progress: progressAt(1), steps: points(1, 2049) })).rejects.toThrow(
      "An update must have at most 2048 steps: current number is 2049",
    );
    expect([await store.get(id), await store.events(id), await store.metrics(id)]).toEqual(before);
    expect(await store.getCheckpoint(foreign.id)).toBeNull();
  }));

Deno.test("record: the latest hundred progress events and all events of the other types are kept", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    for (let step = 1; step <= 130; step++) {
      await claim.record({
        progress: progressAt(step),
        logs: step % 65 === 0 ? [{ level: "info", message: `half ${step}` }] : [],
      });
    }
    const events = await store.events(id, { limit: 1000 });
    const told = events.filter(({ type }) => type === "progress").map(({ data }) => data.step);
    expect(told).toEqual(Array.from({ length: 100 }, (_, i) => i + 31));
    expect(events.filter(({ type }) => type === "log").map(({ message }) => message)).toEqual([
      "half 65",
      "half 130",
    ]);
    expect(events.filter(({ type }) => type === "status")).toHaveLength(2);
    const numbers = events.map(({ seq }) => seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(numbers.at(-1)).toBe(2 + 130 + 2);
  }));

Deno.test("record: the latest two hundred checkpoint events are kept, in rows of earlier versions too", () =>
  withStore(async ({ store, kv, running }) => {
    const { id, claim } = await running();
    const record = async (from: number, to: number) => {
      for (let step = from; step <= to; step++) {
        await claim.record({ checkpoint: checkpointOf(id, { step }) });
      }
    };
    const kept = async () => {
      const events = await store.events(id, { limit: 1000 });
      return events.filter(({ type }) => type === "checkpoint").map(({ data }) => data.step);
    };
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    await record(1, 230);
    expect(await kept()).toEqual(range(31, 230));
    expect((await store.events(id)).slice(0, 2).map(({ type }) => type)).toEqual(["status", "status"]);

    const { value } = await kv.get<Record<string, unknown>>(["job", id]);
    const { checkpointSeqs: _, ...old } = value!;
    await kv.set(["job", id], old);
    await record(231, 435);
    expect(await kept()).toEqual([...range(31, 230), ...range(236, 435)]);
  }));

Deno.test("record: messages beyond the limit are dropped, with a last one that says so", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    for (let part = 0; part < 51; part++) {
      const logs = Array.from(
        { length: 100 },
        (_, i) => ({ level: "info" as const, message: `${part * 100 + i}` }),
      );
      await claim.record({ logs });
    }
    const numbers: string[] = [];
    let after = 0;
    for (let page = await store.events(id, { limit: 1000 }); page.length > 0;) {
      numbers.push(...page.filter(({ type }) => type === "log").map(({ message }) => message));
      after = page.at(-1)!.seq;
      page = await store.events(id, { after, limit: 1000 });
    }
    expect(numbers).toHaveLength(5000);
    expect(numbers.slice(-2)).toEqual(["4998", "Too many log messages: the rest is dropped"]);
    await claim.finish({ type: "succeeded", result: {} });
    expect((await store.events(id, { after })).map(({ message }) => message)).toEqual(["Succeeded"]);
  }));

Deno.test("rewind: a second run writes its steps over what the first did past the checkpoint", () =>
  withStore(async ({ store, clock, running, runner }) => {
    const { id, claim } = await running();
    const epoch = (epoch: number, loss: number) => ({ epoch, step: 10 * (epoch + 1), loss, metrics: {} });
    await claim.record({
      steps: points(1, 10),
      epoch: epoch(0, 1),
      checkpoint: checkpointOf(id, { step: 10 }),
    });
    await claim.record({ steps: points(11, 27), epoch: epoch(1, 1) });
    clock.advance(LEASE_MS + 1);
    const other = runner("other");
    await other.reap();
    const second = await claimed(other);
    await second.rewind(10);
    expect(await store.metrics(id)).toEqual({ steps: points(1, 10), epochs: [epoch(0, 1)], next: null });
    await second.record({ steps: points(11, 20, 1), epoch: epoch(1, 2) });
    expect(await store.metrics(id)).toEqual({
      steps: [...points(1, 10), ...points(11, 20, 1)],
      epochs: [epoch(0, 1), epoch(1, 2)],
      next: null,
    });
    expect((await store.get(id))!.latestCheckpoint).toBe(second.job.latestCheckpoint);
  }));

Deno.test("finish: what becomes of a job", async (t) => {
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

Deno.test("finish: handing back a job whose end was asked for ends it", () =>
  withStore(async ({ store, running }) => {
    const { id, queue, claim } = await running();
    await store.cancel(id);
    expect(await claim.finish({ type: "released" })).toMatchObject({ status: "cancelled" });
    expect(await queue.claim()).toBeNull();
  }));

Deno.test("finish: a job that is done before the runner hears of the cancel has succeeded", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    await store.cancel(id);
    expect(await claim.finish({ type: "succeeded", result: {} })).toMatchObject({
      status: "succeeded",
    });
    await expect(store.cancel(id)).rejects.toThrow(InvalidTransitionError);
  }));

Deno.test("finish: a long code and a long message are shortened", () =>
  withStore(async ({ running }) => {
    const { claim } = await running();
    const error = { code: "c".repeat(100), message: "m".repeat(5000) };
    const job = await claim.finish({ type: "failed", error });
    expect(job.error).toEqual({ code: "c".repeat(64), message: "m".repeat(2000) });
  }));

Deno.test("finish: a result that is too large fails the job and says how large it was", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const result = { text: "x".repeat(RESULT_BYTES) };
    const job = await claim.finish({ type: "succeeded", result });
    expect(job).toMatchObject({ status: "failed", result: null, error: { code: "result_too_large" } });
    expect(job.error!.message).toContain(`${RESULT_BYTES}`);
    expect(await store.get(id)).toEqual(job);
  }));

Deno.test("finish: every result within the limit fits, whatever is in it and in the job", async (t) => {
  const metadata = Object.fromEntries(Array.from({ length: JOB_LIMITS.metadataKeys }, (_, i) => [
    String(i).padEnd(JOB_LIMITS.metadataKeyLength, "键"),
    "値".repeat(JOB_LIMITS.metadataValueLength),
  ]));
  /** The longest result of its kind: `fill(n)` grows with n. */
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

Deno.test("queue: runners on the doorbell's database work as well", () =>
  withStore(async ({ store, kv, clock }) => {
    const heard = Promise.withResolvers<unknown>();
    void kv.listenQueue((message) => heard.resolve(message));
    const { JobStore } = await import("../../../jobs/store/store.ts");
    const ringing = new JobStore(kv, { now: clock.now, notifiesReady: true });
    const { job } = await ringing.create(request());
    expect(await heard.promise).toEqual({ type: "unmask_job_ready" });
    expect((await claimed(new JobQueue(store, "runner"))).job.id).toBe(job.id);
  }));

for (
  const [what, ahead, leaseMs, taken] of [
    ["an hour", 3_600_000, 15_000, true],
    ["an hour, of a runner with long leases", 3_600_000, 60_000, true],
    ["ten seconds", 10_000, 15_000, false],
    ["a minute, of a runner with long leases", 60_000, 90_000, false],
  ] as const
) {
  Deno.test(`reap: after a clock set back by ${what} a lease that ends ahead is ${taken ? "" : "not "}taken`, () =>
    withStore(async ({ store, clock, runner, queued }) => {
      const id = await queued();
      await claimed(runner("killed", { leaseMs }));
      clock.advance(-ahead);
      const reaper = runner("reaper", { leaseMs: 15_000 });
      expect(await reaper.reap()).toMatchObject(taken ? [{ id }] : []);
      if (!taken) return;
      await claimed(reaper);
      clock.advance(-ahead);
      await store.cancel(id);
      await runner("another").reap();
      expect(await store.get(id)).toMatchObject({ status: "cancelled" });
      await store.delete(id, NO_OBJECTS);
      expect(await store.get(id)).toBe(null);
    }));
}

Deno.test("heartbeat: a living runner renews its lease after the clock was set back", () =>
  withStore(async ({ clock, runner, running }) => {
    const { id, queue, claim } = await running();
    clock.advance(-3_600_000);
    await claim.heartbeat();
    expect(await runner("reaper").reap()).toEqual([]);
    clock.advance(queue.leaseMs + 1);
    expect(await runner("reaper").reap()).toMatchObject([{ id }]);
  }));

Deno.test("reap: a lease of an earlier version, without its length, has the default length", () =>
  withStore(async ({ kv, clock, runner, running }) => {
    const { id } = await running();
    await kv.set(["lease", id], { runner: "old", token: "t", until: clock.now() + 15_000 });
    expect(await runner("reaper").reap()).toEqual([]);
    await kv.set(["lease", id], { runner: "old", token: "t", until: clock.now() + 3_600_000 });
    expect(await runner("reaper").reap()).toMatchObject([{ id }]);
  }));

Deno.test("giveUp: fails only the queued jobs that an outage interrupted", () =>
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

Deno.test("claim: a job handed back in an outage is claimed after the others", () =>
  withStore(async ({ runner, queued, running }) => {
    const { id, queue, claim } = await running();
    const other = await queued();
    await claim.finish({ type: "outage", cause: "no mirror answers", waitedMs: 600_000 });
    expect((await claimed(queue)).job.id).toBe(other);
    expect((await claimed(queue)).job).toMatchObject({ id, attempt: 2, outageMs: 600_000 });
    expect(await runner("another").claim()).toBe(null);
  }));
