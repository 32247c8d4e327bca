import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import { KvCircuit } from "../../jobs/store/kv/circuit.ts";
import { DatabaseUnavailableError } from "../../jobs/store/kv/errors.ts";
import { guardedKv } from "../../jobs/store/kv/open.ts";
import { JobQueue } from "../../jobs/store/queue/queue.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { RunnerFixture, steps } from "../jobs/runnerFixture.ts";
import { withCommit, withOverrides } from "../setup/overrides.ts";

interface Failure {
  readonly message: string;
  /** The calls that fail. */
  readonly kind: "all" | "writes";
  /** Time at which the outage ends, by the monotonic clock. */
  readonly until?: number;
}

/** A database whose calls, or only whose writes, fail while `failure` is set. */
class FaultyDatabase {
  failure: Failure | null = null;
  /** Called with each value of a commit before it is applied. */
  beforeSet: (value: unknown) => void = () => {};
  readonly lines: string[] = [];

  async open(): Promise<Deno.Kv> {
    const kv = await Deno.openKv(":memory:");
    const failIf = (kind: "all" | "writes") => {
      if (this.failure?.until !== undefined && performance.now() > this.failure.until) this.failure = null;
      if (this.failure && (kind === "writes" || this.failure.kind === "all")) {
        throw new TypeError(this.failure.message);
      }
    };
    const faulty = withOverrides(kv, {
      get: (key: Deno.KvKey) => {
        failIf("all");
        return kv.get(key);
      },
      getMany: (keys: Deno.KvKey[]) => {
        failIf("all");
        return kv.getMany(keys);
      },
      set: (key: Deno.KvKey, value: unknown, options?: { expireIn?: number }) => {
        failIf("writes");
        return kv.set(key, value, options);
      },
      delete: (key: Deno.KvKey) => {
        failIf("writes");
        return kv.delete(key);
      },
      atomic: () =>
        withCommit(kv.atomic(), async (operation) => {
          failIf("writes");
          return await operation.commit();
        }, (value) => this.beforeSet(value)),
    });
    return guardedKv(faulty, new KvCircuit({ local: true, log: (line) => this.lines.push(line) }));
  }
}

for (
  const failure of [
    { message: "database is locked", kind: "writes" },
    { message: "connection refused", kind: "all" },
  ] as const
) {
  Deno.test(`a run keeps its job during "${failure.message}" until its lease expires`, async () => {
    const database = new FaultyDatabase();
    await using fixture = await RunnerFixture.of(new JobStore(await database.open()));
    fixture.startRunner({ leaseMs: 15_000 });
    const id = await fixture.createJob(`${steps(5)},checkpoint,${steps(5)},wait,${steps(5)},checkpoint`);
    await fixture.until(id, (job) => job.progress?.step === 10);
    database.failure = failure;
    await pause(6_000);
    database.failure = null;
    expect(await fixture.finished(id)).toMatchObject({ status: "succeeded", attempt: 1, interruptions: 0 });
    expect((await fixture.jobs.metrics(id)).steps.length).toBe(15);
    expect(database.lines.length).toBe(2);
  });
}

Deno.test("a run whose lease expires in an outage of the database stops, and its job is queued again with the cause", async () => {
  const database = new FaultyDatabase();
  await using fixture = await RunnerFixture.of(new JobStore(await database.open()));
  fixture.startRunner({ leaseMs: 1_000 });
  const id = await fixture.createJob(`${steps(5)},checkpoint,${steps(5)},hang_first_attempt,${steps(5)}`);
  await fixture.until(id, (job) => job.progress?.step === 10);
  database.failure = { message: "connection refused", kind: "all" };
  await pause(3_000);
  database.failure = null;
  expect(await fixture.finished(id)).toMatchObject({ status: "succeeded", attempt: 2, interruptions: 1 });
  const requeued = (await fixture.jobs.events(id)).find(({ message }) =>
    message.startsWith("Back in the queue")
  )!;
  expect(requeued.message).toContain("connection refused");
  expect(database.lines.length).toBe(2);
});

Deno.test("a runner without work queues the job of a lost runner again after an outage of writes", async () => {
  const database = new FaultyDatabase(), kv = await database.open();
  await using fixture = await RunnerFixture.of(new JobStore(kv));
  const id = await fixture.createJob("step");
  await new JobQueue(fixture.jobs, "lost runner", { leaseMs: 200 }).claim();
  database.failure = { message: "database or disk is full", kind: "writes" };
  await expect(kv.set(["row"], 1)).rejects.toBeInstanceOf(DatabaseUnavailableError);
  database.failure = null;
  fixture.startRunner({ leaseMs: 200 });
  expect(await fixture.finished(id)).toMatchObject({ status: "succeeded", attempt: 2, interruptions: 1 });
  expect(database.lines.length).toBe(2);
});

Deno.test("a runner that stops in an outage of the database does not wait for its end", async () => {
  const database = new FaultyDatabase();
  await using fixture = await RunnerFixture.of(new JobStore(await database.open()));
  const runner = fixture.startRunner({ leaseMs: 2_000 });
  const id = await fixture.createJob("step,hang");
  await fixture.until(id, (job) => job.backend !== null);
  database.failure = { message: "connection refused", kind: "all" };
  await runner.stop();
  database.failure = null;
  expect(await fixture.jobs.get(id)).toMatchObject({ status: "running" });
  fixture.startRunner({ leaseMs: 2_000 });
  expect(await fixture.until(id, (job) => job.attempt === 2)).toMatchObject({ interruptions: 1 });
  await fixture.jobs.cancel(id);
  await fixture.finished(id);
});

Deno.test("a runner that stops does not wait for the end of an outage in which a run is being cancelled", async () => {
  const database = new FaultyDatabase();
  await using fixture = await RunnerFixture.of(new JobStore(await database.open()));
  const runner = fixture.startRunner({ leaseMs: 2_000 });
  const id = await fixture.createJob("step,hang");
  await fixture.until(id, (job) => job.backend !== null);
  const outageBegan = Promise.withResolvers<void>();
  database.beforeSet = (value) => {
    if ((value as { job?: { status: string } }).job?.status !== "cancelled") return;
    database.beforeSet = () => {};
    // The outage ends, so that the test fails instead of hanging if the runner waits.
    database.failure = { message: "connection refused", kind: "all", until: performance.now() + 10_000 };
    outageBegan.resolve();
  };
  await fixture.jobs.cancel(id);
  await outageBegan.promise;
  await runner.stop();
  database.failure = null;
  expect(await fixture.jobs.get(id)).toMatchObject({
    status: "running",
    cancelRequestedAt: expect.any(String),
  });
});
