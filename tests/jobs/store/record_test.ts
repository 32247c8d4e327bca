import { expect } from "expect";
import type { Claim } from "../../../jobs/store/queue/claim.ts";
import { LEASE_MS } from "../../../jobs/store/queue/lease.ts";
import { checkpointOf, claimed, withStore } from "../fixtures.ts";
import { point, points, progressAt } from "./steps.ts";

Deno.test("record: all parts of an update are stored, with events in order", () =>
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

Deno.test("record: the end of an epoch precedes the progress of the next epoch", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const epoch = { epoch: 0, step: 3, loss: 0.5, metrics: {} };
    const checkpoint = checkpointOf(id, { step: 3 });
    await claim.record({ steps: points(1, 5), progress: progressAt(5), epoch, checkpoint });
    const events = await store.events(id, { after: 2 });
    expect(events.map(({ type, data }) => [type, data.step])).toEqual([
      ["epoch", 3],
      ["progress", 5],
      ["checkpoint", 3],
    ]);
  }));

Deno.test("record: a concurrent reader receives either the whole update or nothing of it", () =>
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
    // One getMany reads a snapshot of the database. It must contain all rows of an update or none.
    let reads = 0;
    const steps = new Set<number>();
    while (!done) {
      const [row, chunk, ...rest] = await kv.getMany<unknown[]>([
        ["job", id],
        ["steps", id, 0],
        ["epoch", id, 0],
        ...[0, 1, 2, 3, 4, 5, 6].map((i) => ["checkpoint", checkpoints[i].id]),
      ]);
      const { job } = row.value as { job: Claim["job"] };
      const step = job.progress?.step ?? 0;
      steps.add(step);
      expect((chunk.value as { steps: Uint32Array } | null)?.steps.length ?? 0).toBe(step);
      expect(rest[0].value !== null).toBe(step >= 1);
      rest.slice(1).forEach((entry, i) => expect(entry.value !== null).toBe(step >= i + 1));
      expect(job.latestCheckpoint).toBe(step === 0 ? null : checkpoints[step - 1].id);
      reads++;
    }
    await writing;
    expect(reads).toBeGreaterThan(0);
    expect(steps.size).toBeGreaterThan(1);
  }));

Deno.test("record: an invalid update changes nothing", () =>
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

Deno.test("record: the latest hundred progress events and all status and log events are kept", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    for (let step = 1; step <= 130; step++) {
      await claim.record({
        progress: progressAt(step),
        logs: step % 65 === 0 ? [{ level: "info", message: `half ${step}` }] : [],
      });
    }
    const events = await store.events(id, { limit: 1000 });
    const progressSteps = events.filter(({ type }) => type === "progress").map(({ data }) => data.step);
    expect(progressSteps).toEqual(Array.from({ length: 100 }, (_, i) => i + 31));
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

Deno.test("record: log messages above the limit are dropped, and the last one reports this", () =>
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

Deno.test("rewind: the steps of a second run replace those of the first after the checkpoint", () =>
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
