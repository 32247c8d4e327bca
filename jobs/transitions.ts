/**
 * The life of a job as one table: which event is taken in which state, and what becomes of the job.
 *
 * @module
 */
import type { Job, JobError, JobProgress, JobStatus } from "./job.ts";

/** Runners that may be lost in a row, without a new checkpoint between, before the job is given up. */
export const MAX_INTERRUPTIONS = 5;

/** What can happen to a job. */
export type JobTransition =
  /** A client asked for it. The first event of every job, and of none later. */
  | {
    readonly type: "created";
    readonly id: string;
    readonly request: Job["request"];
    readonly name: string | null;
    readonly metadata: Readonly<Record<string, string>>;
  }
  /** A runner took it from the queue. */
  | { readonly type: "claimed" }
  /** The kind has begun to compute. */
  | { readonly type: "started"; readonly backend: NonNullable<Job["backend"]> }
  | { readonly type: "progressed"; readonly progress: JobProgress }
  /** A checkpoint is stored; `checkpoint` is its id. */
  | { readonly type: "checkpointed"; readonly checkpoint: string }
  /** Newer checkpoints are damaged: the job continues from `checkpoint`, or from the start if that is null. */
  | { readonly type: "fell_back"; readonly checkpoint: string | null }
  /** Its runner stopped beating. */
  | { readonly type: "lease_lost" }
  /** Its runner shut down in order and hands it back. */
  | { readonly type: "released" }
  /** The runner hands the job back because storage or the database is unavailable; `cause` is the message. */
  | { readonly type: "outage"; readonly cause: string; readonly waitedMs: number }
  /** While the job was queued, the outage that interrupted it exceeded the limit. */
  | { readonly type: "outage_limit"; readonly error: JobError }
  | { readonly type: "succeeded"; readonly result: Readonly<Record<string, unknown>> }
  | { readonly type: "failed"; readonly error: JobError }
  /** A client asked to stop it. */
  | { readonly type: "cancel_requested" }
  /** Its runner has stopped it. */
  | { readonly type: "cancelled" };

/** Names of the events. */
export const JOB_TRANSITIONS = [
  "created",
  "claimed",
  "started",
  "progressed",
  "checkpointed",
  "fell_back",
  "lease_lost",
  "released",
  "outage",
  "outage_limit",
  "succeeded",
  "failed",
  "cancel_requested",
  "cancelled",
] as const satisfies readonly JobTransition["type"][];

/** True for the states that a job never leaves. */
export function isFinished(status: JobStatus): status is "succeeded" | "failed" | "cancelled" {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

const VERBS: Record<JobTransition["type"], string> = {
  created: "create",
  claimed: "claim",
  started: "start",
  progressed: "report progress of",
  checkpointed: "record a checkpoint of",
  fell_back: "go back to an older checkpoint of",
  lease_lost: "take the lease of",
  released: "release",
  outage: "hand back",
  outage_limit: "give up",
  succeeded: "complete",
  failed: "fail",
  cancel_requested: "cancel",
  cancelled: "end by cancelling",
};
const STATES: Record<JobStatus, string> = {
  queued: "is queued",
  running: "is running",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "has been cancelled",
};

/** The event is not taken in the job's state: "Cannot cancel a job that has succeeded". */
export class InvalidTransitionError extends Error {
  override readonly name = "InvalidTransitionError";
  constructor(readonly event: JobTransition["type"], readonly status: JobStatus | null) {
    super(
      status === null
        ? `Cannot ${VERBS[event]} a job that was never created`
        : `Cannot ${VERBS[event]} a job that ${STATES[status]}`,
    );
  }
}

type EventOf<T extends JobTransition["type"]> = Extract<JobTransition, { type: T }>;
type Row = { readonly [T in JobTransition["type"]]?: (job: Job, event: EventOf<T>, at: string) => Job };

/** The same progress with a pace that no longer holds taken out. */
const halted = (progress: JobProgress | null): JobProgress | null =>
  progress && { ...progress, imagesPerSecond: null, etaSeconds: null };

const ended = (job: Job, at: string, change: Partial<Job> & { status: JobStatus }): Job => ({
  ...job,
  finishedAt: at,
  progress: halted(job.progress),
  ...change,
});

/** Back to the queue, unless somebody is waiting for its end. */
const requeued = (job: Job, at: string, interruptions: number): Job =>
  job.cancelRequestedAt !== null
    ? ended(job, at, { status: "cancelled", interruptions })
    : { ...job, status: "queued", interruptions, progress: halted(job.progress) };

const NONE: Row = {};
const TABLE: Record<JobStatus, Row> = {
  queued: {
    claimed: (job, _, at) => ({
      ...job,
      status: "running",
      attempt: job.attempt + 1,
      startedAt: job.startedAt ?? at,
    }),
    cancel_requested: (job, _, at) => ended(job, at, { status: "cancelled", cancelRequestedAt: at }),
    outage_limit: (job, event, at) => ended(job, at, { status: "failed", error: event.error }),
  },
  running: {
    started: (job, event) => ({ ...job, backend: event.backend }),
    progressed: (job, event) => ({ ...job, progress: event.progress }),
    checkpointed: (job, event) => ({
      ...job,
      latestCheckpoint: event.checkpoint,
      interruptions: 0,
      outages: 0,
      outageMs: 0,
    }),
    fell_back: (job, event) => ({ ...job, latestCheckpoint: event.checkpoint }),
    lease_lost: (job, _, at) => {
      const interruptions = job.interruptions + 1;
      const lost = interruptions - (job.outages ?? 0);
      if (lost < MAX_INTERRUPTIONS || job.cancelRequestedAt !== null) {
        return requeued(job, at, interruptions);
      }
      const message = `The runner was lost ${lost} times in a row without a new checkpoint in between`;
      return ended(job, at, { status: "failed", interruptions, error: { code: "runner_lost", message } });
    },
    released: (job, _, at) => requeued(job, at, job.interruptions),
    outage: (job, event, at) => ({
      ...requeued(job, at, job.interruptions + 1),
      outages: (job.outages ?? 0) + 1,
      outageMs: (job.outageMs ?? 0) + event.waitedMs,
    }),
    succeeded: (job, event, at) => ended(job, at, { status: "succeeded", result: event.result }),
    failed: (job, event, at) => ended(job, at, { status: "failed", error: event.error }),
    cancel_requested: (job, _, at) => ({ ...job, cancelRequestedAt: job.cancelRequestedAt ?? at }),
    cancelled: (job, _, at) =>
      ended(job, at, { status: "cancelled", cancelRequestedAt: job.cancelRequestedAt ?? at }),
  },
  succeeded: NONE,
  failed: NONE,
  cancelled: NONE,
};

/**
 * What an event makes of a job. Pure: neither argument is changed.
 *
 * @param job null for `created` only
 * @param now milliseconds since 1970
 * @throws {InvalidTransitionError} where the table has no entry
 */
export function transition(job: Job | null, event: JobTransition, now: number): Job {
  const at = new Date(now).toISOString();
  if (event.type === "created" && job === null) {
    return {
      id: event.id,
      kind: event.request.kind,
      status: "queued",
      name: event.name,
      metadata: event.metadata,
      createdAt: at,
      startedAt: null,
      finishedAt: null,
      request: event.request,
      progress: null,
      result: null,
      error: null,
      attempt: 0,
      interruptions: 0,
      outages: 0,
      outageMs: 0,
      cancelRequestedAt: null,
      backend: null,
      latestCheckpoint: null,
    };
  }
  const step = job === null ? undefined : TABLE[job.status][event.type];
  if (job === null || step === undefined) throw new InvalidTransitionError(event.type, job?.status ?? null);
  return (step as (job: Job, event: JobTransition, at: string) => Job)(job, event, at);
}
