/**
 * What the tests of jobs begin with: a request, a store whose clock is set by hand, a checkpoint.
 *
 * @module
 */
import { openStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { fromWire } from "../../data/wire.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { Claim } from "../../jobs/store/queue/claim.ts";
import { JobQueue } from "../../jobs/store/queue/queue.ts";
import { type JobRequest, jobRequestSchema } from "../../jobs/requests/schemas.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { PRESETS } from "../../model/presets.ts";

/** Object storage that holds nothing. */
export const NO_OBJECTS: ObjectStore = openStore(
  { url: `file:${new URL("./no-such-folder", import.meta.url).pathname}` },
);

/** Where the clocks of the tests begin, in milliseconds since 1970. */
export const START = Date.UTC(2026, 0, 1);

/** A clock that stands still until it is moved. */
export class Clock {
  #at = START;
  /** Milliseconds since 1970. */
  readonly now = (): number => this.#at;

  advance(ms: number): void {
    this.#at += ms;
  }

  /** The present time as jobs tell it. */
  get text(): string {
    return new Date(this.#at).toISOString();
  }
}

/** The request that a body makes; a small pre-training on `digits` unless the fields say otherwise. */
export function request(body: Record<string, unknown> = {}): JobRequest {
  const parsed = jobRequestSchema().parse({ kind: "pretrain", dataset: "digits", ...body });
  return fromWire(parsed) as unknown as JobRequest;
}

/** A store on a database of its own, with what the tests need around it. */
export interface Setting {
  readonly store: JobStore;
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  /** A runner's view of the queue. */
  runner(name?: string, options?: { leaseMs?: number }): JobQueue;
  /** Creates a job and gives back its id. */
  queued(body?: Record<string, unknown>): Promise<string>;
  /** Creates a job, and a runner that claims it. Nothing else may be waiting. */
  running(body?: Record<string, unknown>): Promise<{ id: string; queue: JobQueue; claim: Claim }>;
}

/** Calls a test with a store on an empty database, and closes it afterwards. */
export async function withStore(test: (setting: Setting) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await test(settingOn(kv));
  } finally {
    kv.close();
  }
}

/** The same on a database of the caller's. */
export function settingOn(kv: Deno.Kv, clock = new Clock()): Setting {
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
      if (claim.job.id !== id) throw new Error(`Claimed ${claim.job.id}: it waited before ${id}`);
      return { id, queue, claim };
    },
  };
}

/** What a runner claims; an error when nothing waits. */
export async function claimed(queue: JobQueue): Promise<Claim> {
  const claim = await queue.claim();
  if (claim === null) throw new Error(`Nothing was there for ${queue.runner} to claim`);
  return claim;
}

let checkpoints = 0;

/** A checkpoint of a job, as a kind of job tells of it. Ids grow. */
export function checkpointOf(
  jobId: string,
  fields: Partial<Checkpoint> = {},
): Omit<Checkpoint, "createdAt"> {
  const id = fields.id ?? `ckpt_${String(++checkpoints).padStart(26, "0")}`;
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
