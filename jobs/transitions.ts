/**
 * The state machine of a job: a table of the transitions from each status.
 *
 * @module
 */
import type { Job, JobBackend, JobError, JobProgress, JobStatus } from "./job.ts";

/** A job fails after this number of consecutive lost runners and crashed runs without a new checkpoint in between. */
export const MAX_INTERRUPTIONS = 5;

/** The trigger of a transition, with the data that the transition needs. */
export type JobTrigger =
  /** A client created the job. It is the first trigger of every job. */
  | {
    readonly type: "created";
    readonly id: string;
    readonly request: Job["request"];
  }
  /** A runner claimed the job. */
  | { readonly type: "claimed" }
  /** The run started to compute. */
  | { readonly type: "started"; readonly backend: JobBackend }
  | { readonly type: "progressed"; readonly progress: JobProgress }
  /** A checkpoint was stored; `checkpoint` is its id. */
  | { readonly type: "checkpointed"; readonly checkpoint: string }
  /** Newer checkpoints are damaged: the job continues from `checkpoint`, or from the start if that is null. */
  | { readonly type: "fell_back"; readonly checkpoint: string | null }
  /** The lease expired without a heartbeat. */
  | { readonly type: "lease_lost" }
  /** The process of the run crashed or was killed, and `cause` describes it. `error` is that of a job with too many. */
  | { readonly type: "crashed"; readonly cause: string; readonly error: JobError }
  /** The runner is shutting down and hands the job back. */
  | { readonly type: "released" }
  /** The runner hands the job back because storage or the database is unavailable; `cause` is the message. */
  | { readonly type: "outage"; readonly cause: string; readonly waitedMs: number }
  /** The outage that interrupted the job exceeded the limit while the job was queued. */
  | { readonly type: "outage_limit"; readonly error: JobError }
  | { readonly type: "succeeded"; readonly result: Readonly<Record<string, unknown>> }
  | { readonly type: "failed"; readonly error: JobError }
  /** A client cancelled the job. */
  | { readonly type: "cancel_requested" }
  /** The runner stopped the run of a cancelled job. */
  | { readonly type: "cancelled" };

/** Returns true for the final statuses. */
export function isFinished(status: JobStatus): status is "succeeded" | "failed" | "cancelled" {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

const VERBS: Record<JobTrigger["type"], string> = {
  created: "create",
  claimed: "claim",
  started: "start",
  progressed: "report progress of",
  checkpointed: "record a checkpoint of",
  fell_back: "go back to an older checkpoint of",
  lease_lost: "end the lease of",
  crashed: "end the crashed run of",
  released: "release",
  outage: "hand back",
  outage_limit: "abandon",
  succeeded: "complete",
  failed: "fail",
  cancel_requested: "cancel",
  cancelled: "end by cancelling",
};
const STATUSES: Record<JobStatus, string> = {
  queued: "is queued",
  running: "is running",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "has been cancelled",
};

/** The table has no such transition from the job's status. An example: "Cannot cancel a job that has succeeded". */
export class InvalidTransitionError extends Error {
  override readonly name = "InvalidTransitionError";
  constructor(readonly trigger: JobTrigger["type"], readonly status: JobStatus | null) {
    super(
      status === null
        ? `Cannot ${VERBS[trigger]} a job that was never created`
        : `Cannot ${VERBS[trigger]} a job that ${STATUSES[status]}`,
    );
  }
}

type Trigger<T extends JobTrigger["type"]> = Extract<JobTrigger, { type: T }>;
type Row = { readonly [T in JobTrigger["type"]]?: (job: Job, trigger: Trigger<T>, time: string) => Job };

/** Removes the speed and the estimated time, because the job does not run. */
const withoutPace = (progress: JobProgress | null): JobProgress | null =>
  progress && { ...progress, imagesPerSecond: null, etaSeconds: null };

const ended = (job: Job, time: string, change: Partial<Job> & { status: JobStatus }): Job => ({
  ...job,
  finishedAt: time,
  progress: withoutPace(job.progress),
  ...change,
});

/** Queues the job again, or ends it if a client has cancelled it. */
const requeued = (job: Job, time: string, interruptions: number): Job =>
  job.cancelRequestedAt !== null
    ? ended(job, time, { status: "cancelled", interruptions })
    : { ...job, status: "queued", interruptions, progress: withoutPace(job.progress) };

/**
 * Queues the job again after a lost runner or a crashed run, or fails it after too many. Outages are not counted.
 *
 * @param errorOf returns the error of the failed job; `times` is such as "5 times in a row"
 */
const interrupted = (job: Job, time: string, errorOf: (times: string) => JobError): Job => {
  const interruptions = job.interruptions + 1, lost = interruptions - (job.outages ?? 0);
  if (lost < MAX_INTERRUPTIONS || job.cancelRequestedAt !== null) return requeued(job, time, interruptions);
  return ended(job, time, { status: "failed", interruptions, error: errorOf(`${lost} times in a row`) });
};

const NONE: Row = {};
const TABLE: Record<JobStatus, Row> = {
  queued: {
    claimed: (job, _, time) => ({
      ...job,
      status: "running",
      attempt: job.attempt + 1,
      startedAt: job.startedAt ?? time,
    }),
    cancel_requested: (job, _, time) => ended(job, time, { status: "cancelled", cancelRequestedAt: time }),
    outage_limit: (job, trigger, time) => ended(job, time, { status: "failed", error: trigger.error }),
  },
  running: {
    started: (job, trigger) => ({ ...job, backend: trigger.backend }),
    progressed: (job, trigger) => ({ ...job, progress: trigger.progress }),
    checkpointed: (job, trigger) => ({
      ...job,
      latestCheckpoint: trigger.checkpoint,
      interruptions: 0,
      outages: 0,
      outageMs: 0,
    }),
    fell_back: (job, trigger) => ({ ...job, latestCheckpoint: trigger.checkpoint }),
    lease_lost: (job, _, time) =>
      interrupted(job, time, (times) => ({
        code: "runner_lost",
        message: `The runner was lost ${times} without a new checkpoint in between`,
      })),
    crashed: (job, { error: { code, message } }, time) =>
      interrupted(job, time, (times) => ({
        code,
        message: `${message}. The job was interrupted ${times} without a new checkpoint in between`,
      })),
    released: (job, _, time) => requeued(job, time, job.interruptions),
    outage: (job, trigger, time) => ({
      ...requeued(job, time, job.interruptions + 1),
      outages: (job.outages ?? 0) + 1,
      outageMs: (job.outageMs ?? 0) + trigger.waitedMs,
    }),
    succeeded: (job, trigger, time) => ended(job, time, { status: "succeeded", result: trigger.result }),
    failed: (job, trigger, time) => ended(job, time, { status: "failed", error: trigger.error }),
    cancel_requested: (job, _, time) => ({ ...job, cancelRequestedAt: job.cancelRequestedAt ?? time }),
    cancelled: (job, _, time) =>
      ended(job, time, { status: "cancelled", cancelRequestedAt: job.cancelRequestedAt ?? time }),
  },
  succeeded: NONE,
  failed: NONE,
  cancelled: NONE,
};

/**
 * Returns the job after the transition that `trigger` causes. The function is pure.
 *
 * @param job null for `created` only
 * @param now milliseconds since 1970
 * @throws {InvalidTransitionError} if the table has no such transition from the job's status
 */
export function transition(job: Job | null, trigger: JobTrigger, now: number): Job {
  const time = new Date(now).toISOString();
  if (trigger.type === "created" && job === null) {
    return {
      id: trigger.id,
      kind: trigger.request.kind,
      status: "queued",
      name: trigger.request.name ?? null,
      metadata: trigger.request.metadata,
      createdAt: time,
      startedAt: null,
      finishedAt: null,
      request: trigger.request,
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
  const step = job === null ? undefined : TABLE[job.status][trigger.type];
  if (job === null || step === undefined) throw new InvalidTransitionError(trigger.type, job?.status ?? null);
  return (step as (job: Job, trigger: JobTrigger, time: string) => Job)(job, trigger, time);
}
