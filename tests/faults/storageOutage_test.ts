import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import { LocalStore } from "../../data/objects/local/localStore.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { KindEvent } from "../../jobs/kinds/kind.ts";
import { runJob } from "../../jobs/kinds/mod.ts";
import { DEFAULT_KIND_SETTINGS } from "../../jobs/kinds/settings.ts";
import { RetryingStore } from "../../jobs/runner/retryingStore.ts";
import { request } from "../jobs/fixtures.ts";
import { RunnerFixture } from "../jobs/runnerFixture.ts";
import { faultyStore } from "./faultyStore.ts";

const pretraining = () =>
  request({
    model: {
      patch_size: 7,
      embed_dim: 8,
      depth: 1,
      num_heads: 2,
      decoder_embed_dim: 8,
      decoder_depth: 1,
      decoder_num_heads: 2,
    },
    dataset: { id: "digits", size: 32, seed: 5 },
    batch_size: 16,
    epochs: 2,
    seed: 3,
  });

interface RunRecord {
  readonly events: readonly KindEvent[];
  readonly checkpoints: readonly Omit<Checkpoint, "createdAt">[];
}

/** Runs a kind of job to its end with the store. */
async function runKind(
  store: ObjectStore,
  body: ReturnType<typeof request>,
  source: Checkpoint | null,
): Promise<RunRecord> {
  const events: KindEvent[] = [];
  const logged: KindEvent[] = [];
  const signal = new AbortController().signal;
  const context = {
    jobId: "job_1",
    request: body,
    settings: DEFAULT_KIND_SETTINGS,
    store: new RetryingStore(store, {
      maxWaitMs: 60_000,
      signal,
      log: (level, message) => logged.push({ type: "log", level, message }),
    }),
    resumePoints: [],
    source,
    signal,
  };
  for await (const event of runJob(context)) events.push(event);
  const checkpoints = events.flatMap((event) => event.type === "checkpoint" ? [event.checkpoint] : []);
  return { events: [...events, ...logged], checkpoints };
}

/** Returns the parts that must be equal: the digests of the checkpoints, and the result without their ids. */
const deterministicPart = ({ events, checkpoints }: RunRecord) => ({
  digests: checkpoints.map(({ sha256 }) => sha256),
  result: events.flatMap((event) => event.type === "result" ? [{ ...event.result, checkpoint: null }] : []),
});

async function countCalls(local: ObjectStore, body: ReturnType<typeof request>, source: Checkpoint | null) {
  let calls = 0;
  const counted = new Proxy(local, {
    get(target, name) {
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        calls++;
        return value.apply(target, args);
      };
    },
  });
  return { expected: await runKind(counted, body, source), calls };
}

Deno.test("a run ends with the same bits if any call of storage fails, before or after it takes effect", async (t) => {
  const folder = await Deno.makeTempDir();
  const local = new LocalStore(folder);
  const first = await countCalls(local, pretraining(), null);
  const source: Checkpoint = { ...first.expected.checkpoints.at(-1)!, createdAt: new Date(0).toISOString() };
  const kinds = {
    pretrain: { body: pretraining(), source: null },
    evaluate: {
      body: request({
        kind: "evaluate",
        checkpoint: source.id,
        dataset: { id: "digits", size: 32, seed: 5 },
        batch_size: 16,
      }),
      source,
    },
  };
  for (const [name, { body, source }] of Object.entries(kinds)) {
    const { expected, calls } = await countCalls(local, body, source);
    expect(calls).toBeGreaterThan(0);
    for (const when of ["before", "after"] as const) {
      await t.step(`${name}: each of ${calls} calls, ${when}`, async () => {
        for (let nth = 1; nth <= calls; nth++) {
          const disturbed = await runKind(faultyStore(local, { nth, times: 1, when }), body, source);
          expect(deterministicPart(disturbed)).toEqual(deterministicPart(expected));
          const levels = disturbed.events.flatMap((event) =>
            event.type === "log" && event.message.includes("storage") ? [event.level] : []
          );
          expect(levels).toEqual(["warning", "info"]);
        }
      });
    }
  }
  await Deno.remove(folder, { recursive: true });
});

const RUN = new URL("../../jobs/runner/runEntry.ts", import.meta.url);
const hideStorage = async (fixture: RunnerFixture) =>
  await Deno.rename(fixture.folder, `${fixture.folder}-hidden`);
const restoreStorage = async (fixture: RunnerFixture) =>
  await Deno.rename(`${fixture.folder}-hidden`, fixture.folder);
const untilEvent = async (fixture: RunnerFixture, id: string, text: string) => {
  for await (const event of fixture.jobs.follow(id)) if (event.message.includes(text)) return;
  throw new Error(
    `The job finished without an event '${text}': ${JSON.stringify((await fixture.jobs.get(id))?.error)}`,
  );
};

Deno.test("a run waits during an outage of storage, and has one event for its beginning and one for its end", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner({ runModule: RUN });
  const { id } = (await fixture.jobs.create({ ...pretraining(), epochs: 200 } as never)).job;
  await fixture.until(id, (job) => job.latestCheckpoint !== null);
  await hideStorage(fixture);
  await untilEvent(fixture, id, "; waiting");
  expect(await fixture.jobs.get(id)).toMatchObject({ status: "running" });
  await restoreStorage(fixture);
  expect(await fixture.finished(id)).toMatchObject({ status: "succeeded", attempt: 1, interruptions: 0 });
  const messages = (await fixture.jobs.events(id, { limit: 1000 })).map(({ message }) => message);
  expect(messages.filter((message) => message.includes("storage is unavailable")).length).toBe(1);
  expect(messages.filter((message) => message.includes("storage is available again")).length).toBe(1);
});

Deno.test("a run that waits for storage can be cancelled", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner({ runModule: RUN });
  const { id } = (await fixture.jobs.create({ ...pretraining(), epochs: 10_000 } as never)).job;
  await fixture.until(id, (job) => job.latestCheckpoint !== null);
  await hideStorage(fixture);
  await untilEvent(fixture, id, "; waiting");
  await fixture.jobs.cancel(id);
  expect(await fixture.finished(id)).toMatchObject({ status: "cancelled", error: null });
  await restoreStorage(fixture);
});

Deno.test("a job is queued again with the cause after the longest wait, and resumes when storage is available again", async () => {
  await using fixture = await RunnerFixture.open();
  fixture.startRunner({ runModule: RUN, outage: { waitMs: 200, limitMs: 3_600_000 } });
  const { id } = (await fixture.jobs.create({ ...pretraining(), epochs: 200 } as never)).job;
  await fixture.until(id, (job) => job.latestCheckpoint !== null);
  await hideStorage(fixture);
  const queued = await fixture.until(id, (job) => job.status === "queued");
  expect(queued).toMatchObject({ attempt: 1, interruptions: 1, error: null });
  await untilEvent(fixture, id, "Back in the queue: Object storage is unavailable");
  // At least two probes fail in this time, so no job is claimed.
  await pause(1_000);
  expect(await fixture.jobs.get(id)).toMatchObject({ status: "queued", attempt: 1 });
  await restoreStorage(fixture);
  expect(await fixture.finished(id)).toMatchObject({ status: "succeeded", attempt: 2 });
  expect((await fixture.jobs.metrics(id)).steps.length).toBe(400);
});

for (const waitMs of [100, 3_600_000]) {
  Deno.test(`an outage longer than the limit fails the job with the error storage_unavailable (wait of ${waitMs} ms)`, async () => {
    await using fixture = await RunnerFixture.open();
    fixture.startRunner({ runModule: RUN, outage: { waitMs, limitMs: 1_000 } });
    const { id } = (await fixture.jobs.create({ ...pretraining(), epochs: 10_000 } as never)).job;
    await fixture.until(id, (job) => job.latestCheckpoint !== null);
    await hideStorage(fixture);
    const job = await fixture.finished(id);
    expect(job).toMatchObject({ status: "failed", error: { code: "storage_unavailable" } });
    expect(job.error!.message).toContain("UNMASK_OUTAGE_LIMIT_HOURS");
    await restoreStorage(fixture);
  });
}
