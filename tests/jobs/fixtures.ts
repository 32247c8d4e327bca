/**
 * Fixtures of the tests of jobs: requests, a store with a manual clock, jobs and checkpoints.
 *
 * @module
 */
import { openStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { fromWire } from "../../data/wire.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { jobRequestSchema } from "../../jobs/kinds/mod.ts";
import type { JobRequest } from "../../jobs/requests/commonFields.ts";
import type { Claim } from "../../jobs/store/queue/claim.ts";
import { JobQueue } from "../../jobs/store/queue/queue.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { PRESETS } from "../../model/presets.ts";
import { withOverrides } from "../setup/overrides.ts";

/** Object storage without objects. */
export const NO_OBJECTS: ObjectStore = openStore(
  { url: `file:${new URL("./no-such-folder", import.meta.url).pathname}` },
);

/** Start time of the manual clocks, in milliseconds since 1970. */
export const START = Date.UTC(2026, 0, 1);

/** A manual clock. */
export class Clock {
  #time = START;
  /** Milliseconds since 1970. */
  readonly now = (): number => this.#time;

  advance(ms: number): void {
    this.#time += ms;
  }

  /** The current time as in the rows of jobs, RFC 3339. */
  get text(): string {
    return new Date(this.#time).toISOString();
  }
}

/** Returns the request of a body. The default is a small pre-training on `digits`. */
export function request(body: Record<string, unknown> = {}): JobRequest {
  const parsed = jobRequestSchema().parse({ kind: "pretrain", dataset: "digits", ...body });
  return fromWire(parsed) as unknown as JobRequest;
}

/** A store with its database, and functions that create jobs. */
export interface StoreFixture {
  readonly store: JobStore;
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  /** Returns the queue of a new runner. */
  runner(name?: string, options?: { leaseMs?: number }): JobQueue;
  /** Creates a job. @returns its id */
  queued(body?: Record<string, unknown>): Promise<string>;
  /** Creates a job and claims it. No other job may be queued. */
  running(body?: Record<string, unknown>): Promise<{ id: string; queue: JobQueue; claim: Claim }>;
}

/** Runs a test with a store on an empty database. */
export async function withStore(test: (fixture: StoreFixture) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await test(storeFixture(kv));
  } finally {
    kv.close();
  }
}

/** Returns a store on a database. */
export function storeFixture(kv: Deno.Kv, clock = new Clock()): StoreFixture {
  const store = new JobStore(kv, { now: clock.now });
  const runner = (name = "runner", options = {}) => new JobQueue(store, name, options);
  const queued = async (body = {}) => (await store.create(request(body))).job.id;
  return {
    store,
    kv,
    clock,
    runner,
    queued,
    async running(body) {
      const id = await queued(body);
      const queue = runner();
      const claim = await claimed(queue);
      if (claim.job.id !== id) throw new Error(`Claimed ${claim.job.id}, which was queued before ${id}`);
      return { id, queue, claim };
    },
  };
}

/** Claims a job. @throws {Error} when no job is queued */
export async function claimed(queue: JobQueue): Promise<Claim> {
  const claim = await queue.claim();
  if (claim === null) throw new Error(`No job was queued for ${queue.runner}`);
  return claim;
}

let lastCheckpoint = 0;

/** Returns a checkpoint of a job as its run emits it. Ids are in increasing order. */
export function checkpointOf(
  jobId: string,
  fields: Partial<Checkpoint> = {},
): Omit<Checkpoint, "createdAt"> {
  const id = fields.id ?? `ckpt_${String(++lastCheckpoint).padStart(26, "0")}`;
  return {
    id,
    jobId,
    model: "mae",
    step: 1,
    epoch: 0,
    final: false,
    metrics: { loss: 0.5 },
    config: PRESETS.mnist,
    classNames: [],
    size: 1024,
    sha256: "ab".repeat(32),
    objectKey: `checkpoints/${id}.safetensors`,
    stateKey: `checkpoints/${id}.state.safetensors`,
    ...fields,
  };
}

/** Returns the keys of all rows except counters that are zero. */
export async function allKeys(kv: Deno.Kv): Promise<Deno.KvKey[]> {
  const keys: Deno.KvKey[] = [];
  for await (const { key, value } of kv.list({ prefix: [] })) {
    if (!(value instanceof Deno.KvU64 && value.value === 0n)) keys.push(key);
  }
  return keys;
}

/** Creates a job that has succeeded. @param count number of its checkpoints */
export async function trainedJob(
  { running }: StoreFixture,
  count = 1,
): Promise<{ id: string; checkpoints: string[] }> {
  const { id, claim } = await running();
  const checkpoints: string[] = [];
  for (let step = 1; step <= count; step++) {
    const checkpoint = checkpointOf(id, { step, final: step === count });
    await claim.record({
      steps: [{ step, epoch: step - 1, loss: 1 / step, lr: 1e-3 }],
      epoch: { epoch: step - 1, step, loss: 1 / step, metrics: {} },
      checkpoint,
    });
    checkpoints.push(checkpoint.id);
  }
  await claim.finish({ type: "succeeded", result: {} });
  return { id, checkpoints };
}

/** Returns a database whose commits fail after a number of them, as if the process had been killed. */
export function killedAfter(kv: Deno.Kv, commits: number): Deno.Kv {
  return withOverrides(kv, {
    atomic() {
      if (--commits < 0) throw new RangeError("the process was killed");
      return kv.atomic();
    },
  });
}
