import { expect } from "expect";
import { type Job, JOB_STATUSES, type JobStatus } from "../../jobs/job.ts";
import {
  InvalidTransitionError,
  isFinished,
  JOB_TRIGGERS,
  type JobTrigger,
  MAX_INTERRUPTIONS,
  transition,
} from "../../jobs/transitions.ts";
import { request, START } from "./fixtures.ts";

const NOW = START + 60_000;
const AT = new Date(NOW).toISOString();
const CREATED_AT = new Date(START).toISOString();

type EventType = JobTrigger["type"];
type Events = { [T in EventType]: Extract<JobTrigger, { type: T }> };

const progress = { step: 7, totalSteps: 10, epoch: 1, loss: 0.25, imagesPerSecond: 900, etaSeconds: 12 };
const halted = { ...progress, imagesPerSecond: null, etaSeconds: null };
const EVENTS: Events = {
  created: { type: "created", id: "job_2", request: request(), name: "second", metadata: { a: "b" } },
  claimed: { type: "claimed" },
  started: { type: "started", backend: { name: "simd", notes: ["webgpu: no adapter"] } },
  progressed: { type: "progressed", progress },
  checkpointed: { type: "checkpointed", checkpoint: "ckpt_2" },
  fell_back: { type: "fell_back", checkpoint: "ckpt_0" },
  lease_lost: { type: "lease_lost" },
  released: { type: "released" },
  outage: { type: "outage", cause: "the disk is full", waitedMs: 500 },
  outage_limit: { type: "outage_limit", error: { code: "storage_unavailable", message: "too long" } },
  succeeded: { type: "succeeded", result: { loss: 0.125 } },
  failed: { type: "failed", error: { code: "no_batches", message: "too few images" } },
  cancel_requested: { type: "cancel_requested" },
  cancelled: { type: "cancelled" },
};

/** A job that has been through something, in a given state. */
function jobThat(status: JobStatus, fields: Partial<Job> = {}): Job {
  const first = transition(null, { ...EVENTS.created, id: "job_1" }, START);
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

const stopped = { ...halted, step: 3 };

/** Every entry of the table: what the event changes of the job. What is not here is refused. */
const TAKEN: Partial<Record<JobStatus, Partial<Record<EventType, Partial<Job>>>>> = {
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

const REFUSALS: Record<EventType, string> = {
  created: "Cannot create a job that",
  claimed: "Cannot claim a job that",
  started: "Cannot start a job that",
  progressed: "Cannot report progress of a job that",
  checkpointed: "Cannot record a checkpoint of a job that",
  fell_back: "Cannot go back to an older checkpoint of a job that",
  lease_lost: "Cannot end the lease of a job that",
  released: "Cannot release a job that",
  outage: "Cannot hand back a job that",
  outage_limit: "Cannot give up a job that",
  succeeded: "Cannot complete a job that",
  failed: "Cannot fail a job that",
  cancel_requested: "Cannot cancel a job that",
  cancelled: "Cannot end by cancelling a job that",
};
const STATES: Record<JobStatus, string> = {
  queued: "is queued",
  running: "is running",
  succeeded: "has succeeded",
  failed: "has failed",
  cancelled: "has been cancelled",
};

function refusal(job: Job | null, event: JobTrigger): InvalidTransitionError {
  try {
    transition(job, event, NOW);
  } catch (error) {
    if (error instanceof InvalidTransitionError) return error;
    throw error;
  }
  throw new Error(`${event.type} was taken`);
}

function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

for (const status of JOB_STATUSES) {
  Deno.test(`transitions: what a job that ${STATES[status]} takes and refuses`, async (t) => {
    for (const type of JOB_TRIGGERS) {
      const change = TAKEN[status]?.[type];
      await t.step(`${type} ${change ? "is taken" : "is refused"}`, () => {
        const job = jobThat(status);
        if (change) {
          expect(transition(job, EVENTS[type], NOW)).toEqual({ ...job, ...change });
          return;
        }
        const error = refusal(job, EVENTS[type]);
        expect(error.message).toBe(`${REFUSALS[type]} ${STATES[status]}`);
        expect(error.trigger).toBe(type);
        expect(error.status).toBe(status);
      });
    }
  });
}

Deno.test("transitions: a job that does not exist takes its creation and nothing else", async (t) => {
  for (const type of JOB_TRIGGERS) {
    await t.step(type, () => {
      if (type === "created") {
        expect(transition(null, EVENTS.created, NOW)).toEqual({
          id: "job_2",
          kind: "pretrain",
          status: "queued",
          name: "second",
          metadata: { a: "b" },
          createdAt: AT,
          startedAt: null,
          finishedAt: null,
          request: EVENTS.created.request,
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
      const error = refusal(null, EVENTS[type]);
      expect(error.message).toBe(`${REFUSALS[type]} was never created`);
      expect(error.status).toBeNull();
    });
  }
});

Deno.test("transitions: neither the job nor the event is changed", async (t) => {
  for (const [status, row] of Object.entries(TAKEN)) {
    for (const type of Object.keys(row) as EventType[]) {
      await t.step(`${type} of a ${status} job`, () => {
        const job = jobThat(status as JobStatus), event = EVENTS[type];
        const before = structuredClone({ job, event });
        const after = transition(frozen(job), frozen(event), NOW);
        expect({ job, event }).toEqual(before);
        expect(after).not.toBe(job);
        expect(transition(job, event, NOW)).toEqual(after);
      });
    }
  }
});

Deno.test("transitions: the finished states", () => {
  expect(JOB_STATUSES.filter(isFinished)).toEqual(["succeeded", "failed", "cancelled"]);
});

Deno.test("transitions: a job knows when it first ran, however often it is started", () => {
  const first = transition(transition(null, EVENTS.created, START), EVENTS.claimed, START + 1000);
  expect(first).toMatchObject({ attempt: 1, startedAt: new Date(START + 1000).toISOString() });
  const again = transition(transition(first, EVENTS.released, START + 2000), EVENTS.claimed, NOW);
  expect(again).toMatchObject({ attempt: 2, startedAt: first.startedAt });
});

Deno.test("transitions: a job is given up when its runner is lost too often in a row", () => {
  let job = transition(null, EVENTS.created, START);
  for (let lost = 1; lost <= MAX_INTERRUPTIONS; lost++) {
    job = transition(transition(job, EVENTS.claimed, NOW), EVENTS.lease_lost, NOW);
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

Deno.test("transitions: a new checkpoint forgives the runners lost before", () => {
  let job = jobThat("running", { interruptions: MAX_INTERRUPTIONS - 1 });
  job = transition(transition(job, EVENTS.checkpointed, NOW), EVENTS.lease_lost, NOW);
  expect(job).toMatchObject({ status: "queued", interruptions: 1, error: null });
});

Deno.test("transitions: progress, a start and an orderly release neither count as a loss nor forgive one", () => {
  let job = jobThat("running", { interruptions: 3 });
  for (const event of [EVENTS.started, EVENTS.progressed, EVENTS.released, EVENTS.claimed]) {
    job = transition(job, event, NOW);
    expect(job.interruptions).toBe(3);
  }
});

Deno.test("transitions: a job to be cancelled ends when its runner is gone, for the last time or not", () => {
  const asked = { cancelRequestedAt: CREATED_AT };
  for (const interruptions of [0, MAX_INTERRUPTIONS - 1]) {
    const lost = transition(jobThat("running", { ...asked, interruptions }), EVENTS.lease_lost, NOW);
    expect(lost).toMatchObject({ status: "cancelled", finishedAt: AT, error: null, ...asked });
  }
  expect(transition(jobThat("running", asked), EVENTS.released, NOW)).toMatchObject({
    status: "cancelled",
    finishedAt: AT,
    progress: stopped,
  });
});

Deno.test("transitions: asking twice to cancel keeps the time of the first, and the end may still be another", () => {
  const asked = jobThat("running", { cancelRequestedAt: CREATED_AT });
  expect(transition(asked, EVENTS.cancel_requested, NOW)).toEqual(asked);
  expect(transition(asked, EVENTS.cancelled, NOW).cancelRequestedAt).toBe(CREATED_AT);
  expect(transition(asked, EVENTS.succeeded, NOW).status).toBe("succeeded");
  expect(transition(asked, EVENTS.failed, NOW).status).toBe("failed");
});

Deno.test("a job never fails because of its number of outages, but it fails after many lost runners", () => {
  let job = jobThat("running", { interruptions: 0 });
  const again = (event: JobTrigger) => {
    const after = transition(job, event, NOW);
    job = after.status === "queued" ? transition(after, { type: "claimed" }, NOW) : after;
    return after;
  };
  for (let i = 1; i <= 3 * MAX_INTERRUPTIONS; i++) {
    expect(again(EVENTS.outage)).toMatchObject({ status: "queued", interruptions: i });
  }
  for (let i = 1; i < MAX_INTERRUPTIONS; i++) expect(again(EVENTS.lease_lost).status).toBe("queued");
  expect(again(EVENTS.lease_lost)).toMatchObject({ status: "failed", error: { code: "runner_lost" } });
});

Deno.test("an outage is counted for a job of an earlier version without a count of outages", () => {
  const { outages: _, ...old } = jobThat("running");
  expect(transition(old, EVENTS.outage, NOW)).toMatchObject({
    status: "queued",
    interruptions: 3,
    outages: 1,
  });
});
