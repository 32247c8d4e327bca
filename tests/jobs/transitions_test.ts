import { expect } from "expect";
import { type Job, JOB_STATUSES, type JobStatus } from "../../jobs/job.ts";
import {
  InvalidTransitionError,
  isFinished,
  type JobTrigger,
  MAX_INTERRUPTIONS,
  transition,
} from "../../jobs/transitions.ts";
import { request, START } from "./fixtures.ts";

const NOW = START + 60_000;
const AT = new Date(NOW).toISOString();
const CREATED_AT = new Date(START).toISOString();

type TriggerType = JobTrigger["type"];
type Triggers = { [T in TriggerType]: Extract<JobTrigger, { type: T }> };

const progress = { step: 7, totalSteps: 10, epoch: 1, loss: 0.25, imagesPerSecond: 900, etaSeconds: 12 };
const withoutPace = { ...progress, imagesPerSecond: null, etaSeconds: null };
const TRIGGERS: Triggers = {
  created: { type: "created", id: "job_2", request: request({ name: "second", metadata: { a: "b" } }) },
  claimed: { type: "claimed" },
  started: { type: "started", backend: { name: "simd", notes: ["webgpu: no adapter"] } },
  progressed: { type: "progressed", progress },
  checkpointed: { type: "checkpointed", checkpoint: "ckpt_2" },
  fell_back: { type: "fell_back", checkpoint: "ckpt_0" },
  lease_lost: { type: "lease_lost" },
  crashed: {
    type: "crashed",
    cause: "it was killed",
    error: { code: "run_crashed", message: "It was killed" },
  },
  released: { type: "released" },
  outage: { type: "outage", cause: "the disk is full", waitedMs: 500 },
  outage_limit: { type: "outage_limit", error: { code: "storage_unavailable", message: "too long" } },
  succeeded: { type: "succeeded", result: { loss: 0.125 } },
  failed: { type: "failed", error: { code: "no_batches", message: "too few images" } },
  cancel_requested: { type: "cancel_requested" },
  cancelled: { type: "cancelled" },
};

const TRIGGER_TYPES = Object.keys(TRIGGERS) as TriggerType[];

/** Returns a job with a status and a history. */
function jobWith(status: JobStatus, fields: Partial<Job> = {}): Job {
  const first = transition(null, { ...TRIGGERS.created, id: "job_1" }, START);
  return {
    ...first,
    status,
    startedAt: CREATED_AT,
    progress: { ...progress, step: 3 },
    attempt: 1,
    interruptions: 2,
    latestCheckpoint: "ckpt_1",
    finishedAt: isFinished(status) ? CREATED_AT : null,
    ...fields,
  };
}

const stopped = { ...withoutPace, step: 3 };

/** The changes of a job by each transition of the table. All others are not allowed. */
const ALLOWED: Partial<Record<JobStatus, Partial<Record<TriggerType, Partial<Job>>>>> = {
  queued: {
    claimed: { status: "running", attempt: 2 },
    cancel_requested: {
      status: "cancelled",
      cancelRequestedAt: AT,
      finishedAt: AT,
      progress: stopped,
    },
    outage_limit: {
      status: "failed",
      error: { code: "storage_unavailable", message: "too long" },
      finishedAt: AT,
      progress: stopped,
    },
  },
  running: {
    started: { backend: { name: "simd", notes: ["webgpu: no adapter"] } },
    progressed: { progress },
    checkpointed: { latestCheckpoint: "ckpt_2", interruptions: 0 },
    fell_back: { latestCheckpoint: "ckpt_0" },
    lease_lost: { status: "queued", interruptions: 3, progress: stopped },
    crashed: { status: "queued", interruptions: 3, progress: stopped },
    released: { status: "queued", progress: stopped },
    outage: { status: "queued", interruptions: 3, outages: 1, outageMs: 500, progress: stopped },
    succeeded: { status: "succeeded", result: { loss: 0.125 }, finishedAt: AT, progress: stopped },
    failed: {
      status: "failed",
      error: { code: "no_batches", message: "too few images" },
      finishedAt: AT,
      progress: stopped,
    },
    cancel_requested: { cancelRequestedAt: AT },
    cancelled: { status: "cancelled", cancelRequestedAt: AT, finishedAt: AT, progress: stopped },
  },
};

const MESSAGES: Record<TriggerType, string> = {
  created: "Cannot create a job that",
  claimed: "Cannot claim a job that",
  started: "Cannot start a job that",
  progressed: "Cannot report progress of a job that",
  checkpointed: "Cannot record a checkpoint of a job that",
  fell_back: "Cannot go back to an older checkpoint of a job that",
  lease_lost: "Cannot end the lease of a job that",
  crashed: "Cannot end the crashed run of a job that",
  released: "Cannot release a job that",
  outage: "Cannot hand back a job that",
  outage_limit: "Cannot abandon a job that",
  succeeded: "Cannot complete a job that",
  failed: "Cannot fail a job that",
  cancel_requested: "Cannot cancel a job that",
  cancelled: "Cannot end by cancelling a job that",
};
const STATUSES: Record<JobStatus, string> = {
  queued: "is queued",
  running: "is running",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "has been cancelled",
};

function transitionError(job: Job | null, trigger: JobTrigger): InvalidTransitionError {
  try {
    transition(job, trigger, NOW);
  } catch (error) {
    if (error instanceof InvalidTransitionError) return error;
    throw error;
  }
  throw new Error(`${trigger.type} was allowed`);
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

for (const status of JOB_STATUSES) {
  Deno.test(`transitions: a job that ${STATUSES[status]} has the transitions of the table and no others`, async (t) => {
    for (const type of TRIGGER_TYPES) {
      const change = ALLOWED[status]?.[type];
      await t.step(`${type} is ${change ? "allowed" : "an error"}`, () => {
        const job = jobWith(status);
        if (change) {
          expect(transition(job, TRIGGERS[type], NOW)).toEqual({ ...job, ...change });
          return;
        }
        const error = transitionError(job, TRIGGERS[type]);
        expect(error.message).toBe(`${MESSAGES[type]} ${STATUSES[status]}`);
        expect(error.trigger).toBe(type);
        expect(error.status).toBe(status);
      });
    }
  });
}

Deno.test("transitions: only the trigger created is allowed without a job", async (t) => {
  for (const type of TRIGGER_TYPES) {
    await t.step(type, () => {
      if (type === "created") {
        expect(transition(null, TRIGGERS.created, NOW)).toEqual({
          id: "job_2",
          kind: "pretrain",
          status: "queued",
          name: "second",
          metadata: { a: "b" },
          createdAt: AT,
          startedAt: null,
          finishedAt: null,
          request: TRIGGERS.created.request,
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
        });
        return;
      }
      const error = transitionError(null, TRIGGERS[type]);
      expect(error.message).toBe(`${MESSAGES[type]} was never created`);
      expect(error.status).toBeNull();
    });
  }
});

Deno.test("transitions: the job and the trigger are not changed", async (t) => {
  for (const [status, row] of Object.entries(ALLOWED)) {
    for (const type of Object.keys(row) as TriggerType[]) {
      await t.step(`${type} of a ${status} job`, () => {
        const job = jobWith(status as JobStatus), trigger = TRIGGERS[type];
        const before = structuredClone({ job, trigger });
        const after = transition(frozen(job), frozen(trigger), NOW);
        expect({ job, trigger }).toEqual(before);
        expect(after).not.toBe(job);
        expect(transition(job, trigger, NOW)).toEqual(after);
      });
    }
  }
});

Deno.test("transitions: the final statuses", () => {
  expect(JOB_STATUSES.filter(isFinished)).toEqual(["succeeded", "failed", "cancelled"]);
});

Deno.test("transitions: a job keeps the time of its first start", () => {
  const first = transition(transition(null, TRIGGERS.created, START), TRIGGERS.claimed, START + 1000);
  expect(first).toMatchObject({ attempt: 1, startedAt: new Date(START + 1000).toISOString() });
  const second = transition(transition(first, TRIGGERS.released, START + 2000), TRIGGERS.claimed, NOW);
  expect(second).toMatchObject({ attempt: 2, startedAt: first.startedAt });
});

Deno.test("transitions: a job fails after too many lost runners in a row", () => {
  let job = transition(null, TRIGGERS.created, START);
  for (let lost = 1; lost <= MAX_INTERRUPTIONS; lost++) {
    job = transition(transition(job, TRIGGERS.claimed, NOW), TRIGGERS.lease_lost, NOW);
    expect(job.interruptions).toBe(lost);
    expect(job.status).toBe(lost < MAX_INTERRUPTIONS ? "queued" : "failed");
  }
  expect(job).toMatchObject({
    attempt: MAX_INTERRUPTIONS,
    finishedAt: AT,
    error: {
      code: "runner_lost",
      message: "The runner was lost 5 times in a row without a new checkpoint in between",
    },
  });
});

Deno.test("transitions: crashed runs count like lost runners, and the last crash gives the error", () => {
  const job = jobWith("running", { interruptions: MAX_INTERRUPTIONS - 1, outages: 0 });
  expect(transition(job, TRIGGERS.crashed, NOW)).toMatchObject({
    status: "failed",
    interruptions: MAX_INTERRUPTIONS,
    error: {
      code: "run_crashed",
      message: "It was killed. The job was interrupted 5 times in a row without a new checkpoint in between",
    },
  });
  expect(transition({ ...job, outages: 1 }, TRIGGERS.crashed, NOW).status).toBe("queued");
  expect(transition({ ...job, cancelRequestedAt: CREATED_AT }, TRIGGERS.crashed, NOW).status).toBe(
    "cancelled",
  );
});

Deno.test("transitions: a new checkpoint resets the number of lost runners", () => {
  let job = jobWith("running", { interruptions: MAX_INTERRUPTIONS - 1 });
  job = transition(transition(job, TRIGGERS.checkpointed, NOW), TRIGGERS.lease_lost, NOW);
  expect(job).toMatchObject({ status: "queued", interruptions: 1, error: null });
});

Deno.test("transitions: progress, a start and a release do not change the number of lost runners", () => {
  let job = jobWith("running", { interruptions: 3 });
  for (const trigger of [TRIGGERS.started, TRIGGERS.progressed, TRIGGERS.released, TRIGGERS.claimed]) {
    job = transition(job, trigger, NOW);
    expect(job.interruptions).toBe(3);
  }
});

Deno.test("transitions: a cancelled job ends when its runner is lost or releases it", () => {
  const cancelling = { cancelRequestedAt: CREATED_AT };
  for (const interruptions of [0, MAX_INTERRUPTIONS - 1]) {
    const lost = transition(jobWith("running", { ...cancelling, interruptions }), TRIGGERS.lease_lost, NOW);
    expect(lost).toMatchObject({ status: "cancelled", finishedAt: AT, error: null, ...cancelling });
  }
  expect(transition(jobWith("running", cancelling), TRIGGERS.released, NOW)).toMatchObject({
    status: "cancelled",
    finishedAt: AT,
    progress: stopped,
  });
});

Deno.test("transitions: a second cancel keeps the time of the first, and the job may still succeed or fail", () => {
  const cancelling = jobWith("running", { cancelRequestedAt: CREATED_AT });
  expect(transition(cancelling, TRIGGERS.cancel_requested, NOW)).toEqual(cancelling);
  expect(transition(cancelling, TRIGGERS.cancelled, NOW).cancelRequestedAt).toBe(CREATED_AT);
  expect(transition(cancelling, TRIGGERS.succeeded, NOW).status).toBe("succeeded");
  expect(transition(cancelling, TRIGGERS.failed, NOW).status).toBe("failed");
});

Deno.test("transitions: outages never fail a job, however many they are, but lost runners do", () => {
  let job = jobWith("running", { interruptions: 0 });
  const apply = (trigger: JobTrigger) => {
    const after = transition(job, trigger, NOW);
    job = after.status === "queued" ? transition(after, { type: "claimed" }, NOW) : after;
    return after;
  };
  for (let i = 1; i <= 3 * MAX_INTERRUPTIONS; i++) {
    expect(apply(TRIGGERS.outage)).toMatchObject({ status: "queued", interruptions: i });
  }
  for (let i = 1; i < MAX_INTERRUPTIONS; i++) expect(apply(TRIGGERS.lease_lost).status).toBe("queued");
  expect(apply(TRIGGERS.lease_lost)).toMatchObject({ status: "failed", error: { code: "runner_lost" } });
});

Deno.test("transitions: an outage is counted for a job of an earlier version, without a number of outages", () => {
  const { outages: _, ...old } = jobWith("running");
  expect(transition(old, TRIGGERS.outage, NOW)).toMatchObject({
    status: "queued",
    interruptions: 3,
    outages: 1,
  });
});
