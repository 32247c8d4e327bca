import { expect } from "expect";
import { guardedKv } from "../../jobs/store/kv/open.ts";
import { KvCircuit } from "../../jobs/store/kv/circuit.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { Stage } from "../jobs/stage.ts";

const steps = (count: number) => Array.from({ length: count }, () => "step").join(",");

/** A database with a switch that makes every call, or only writes, fail. */
class Switched {
  failure: { message: string; kind: "all" | "writes" } | null = null;
  readonly lines: string[] = [];

  async open(): Promise<Deno.Kv> {
    const real = await Deno.openKv(":memory:");
    const refuse = (kind: "all" | "writes") => {
      if (this.failure && (kind === "writes" || this.failure.kind === "all")) {
        throw new TypeError(this.failure.message);
      }
    };
    const broken = new Proxy(real, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        if (name === "atomic") return () => this.#operation(target.atomic(), refuse);
        if (name === "list") return value.bind(target);
        return (...args: unknown[]) => {
          if (["get", "getMany"].includes(name as string)) refuse("all");
          if (["set", "delete"].includes(name as string)) refuse("writes");
          return value.apply(target, args);
        };
      },
    });
    return guardedKv(broken, new KvCircuit({ local: true, log: (line) => this.lines.push(line) }));
  }

  #operation(operation: Deno.AtomicOperation, refuse: (kind: "writes") => void): Deno.AtomicOperation {
    const wrapped: Deno.AtomicOperation = new Proxy(operation, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        if (name === "commit") return async () => (refuse("writes"), await target.commit());
        return typeof value !== "function"
          ? value
          : (...args: unknown[]) => (value.apply(target, args), wrapped);
      },
    });
    return wrapped;
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (
  const failure of [
    { message: "database is locked", kind: "writes" },
    { message: "connection refused", kind: "all" },
  ] as const
) {
  Deno.test(`a run keeps its job during "${failure.message}" until its lease expires`, async () => {
    const database = new Switched();
    await using stage = await Stage.on(new JobStore(await database.open()));
    stage.runner({ leaseMs: 15_000 });
    const id = await stage.job(`${steps(5)},checkpoint,${steps(5)},wait,${steps(5)},checkpoint`);
    await stage.when(id, (job) => job.progress?.step === 10);
    database.failure = failure;
    await wait(6_000);
    database.failure = null;
    expect(await stage.ended(id)).toMatchObject({ status: "succeeded", attempt: 1, interruptions: 0 });
    expect((await stage.jobs.metrics(id)).steps.length).toBe(15);
    expect(database.lines.length).toBe(2);
  });
}

Deno.test("a run whose lease expires in an outage of the database stops and hands its job back with the cause", async () => {
  const database = new Switched();
  await using stage = await Stage.on(new JobStore(await database.open()));
  stage.runner({ leaseMs: 1_000 });
  const id = await stage.job(`${steps(5)},checkpoint,${steps(5)},once,${steps(5)}`);
  await stage.when(id, (job) => job.progress?.step === 10);
  database.failure = { message: "connection refused", kind: "all" };
  await wait(3_000);
  database.failure = null;
  expect(await stage.ended(id)).toMatchObject({ status: "succeeded", attempt: 2, interruptions: 1 });
  const back = (await stage.jobs.events(id)).find(({ message }) => message.startsWith("Back in the queue"))!;
  expect(back.message).toContain("connection refused");
  expect(database.lines.length).toBe(2);
});

Deno.test("a runner that stops in an outage of the database does not wait for its end", async () => {
  const database = new Switched();
  await using stage = await Stage.on(new JobStore(await database.open()));
  const runner = stage.runner({ leaseMs: 2_000 });
  const id = await stage.job("step,hang");
  await stage.when(id, (job) => job.backend !== null);
  database.failure = { message: "connection refused", kind: "all" };
  await runner.stop();
  database.failure = null;
  expect(await stage.jobs.get(id)).toMatchObject({ status: "running" });
  stage.runner({ leaseMs: 2_000 });
  expect(await stage.when(id, (job) => job.attempt === 2)).toMatchObject({ interruptions: 1 });
  await stage.jobs.cancel(id);
  await stage.ended(id);
});
