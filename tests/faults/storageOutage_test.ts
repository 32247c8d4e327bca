import { expect } from "expect";
import { LocalStore } from "../../data/objects/local/localStore.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { KindEvent } from "../../jobs/kinds/kind.ts";
import { DEFAULT_KIND_SETTINGS } from "../../jobs/kinds/settings.ts";
import { runJob } from "../../jobs/kinds/mod.ts";
import { RetryingStore } from "../../jobs/runner/retryingStore.ts";
import { Stage } from "../jobs/stage.ts";
import { request } from "../jobs/fixtures.ts";
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

interface Ran {
  readonly events: readonly KindEvent[];
  readonly checkpoints: readonly Omit<Checkpoint, "createdAt">[];
}

/** Runs a kind of job to its end on the store. */
async function ran(
  store: ObjectStore,
  body: ReturnType<typeof request>,
  source: Checkpoint | null,
): Promise<Ran> {
  const events: KindEvent[] = [];
  const logged: KindEvent[] = [];
  const signal = new AbortController().signal;
  const context = {
    jobId: "job_1",
    request: body,
    settings: DEFAULT_KIND_SETTINGS,
    store: new RetryingStore(store, {
      patienceMs: 60_000,
      signal,
      log: (level, message) => logged.push({ type: "log", level, message }),
    }),
    resumeFrom: null,
    source,
    signal,
  };
  for await (const event of runJob(context)) events.push(event);
  const checkpoints = events.flatMap((event) => event.type === "checkpoint" ? [event.checkpoint] : []);
  return { events: [...events, ...logged], checkpoints };
}

/** What must be equal: the digests of the checkpoints and the result without their names. */
const essence = ({ events, checkpoints }: Ran) => ({
  digests: checkpoints.map(({ sha256 }) => sha256),
  result: events.flatMap((event) => event.type === "result" ? [{ ...event.result, checkpoint: null }] : []),
});

async function counting(local: ObjectStore, body: ReturnType<typeof request>, source: Checkpoint | null) {
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
  return { whole: await ran(counted, body, source), calls };
}

Deno.test("a run ends with the same bits whichever call of storage fails, before or after it took effect", async (t) => {
  const folder = await Deno.makeTempDir();
  const local = new LocalStore(folder);
  const first = await counting(local, pretraining(), null);
  const source: Checkpoint = { ...first.whole.checkpoints.at(-1)!, createdAt: new Date(0).toISOString() };
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
    const { whole, calls } = await counting(local, body, source);
    expect(calls).toBeGreaterThan(0);
    for (const when of ["before", "after"] as const) {
      await t.step(`${name}: each of ${calls} calls, ${when}`, async () => {
        for (let nth = 1; nth <= calls; nth++) {
          const disturbed = await ran(faultyStore(local, { nth, times: 1, when }), body, source);
          expect(essence(disturbed)).toEqual(essence(whole));
          const said = disturbed.events.flatMap((event) =>
            event.type === "log" && event.message.includes("storage") ? [event.level] : []
          );
          expect(said).toEqual(["warning", "info"]);
        }
      });
    }
  }
  await Deno.remove(folder, { recursive: true });
});

const WORKER = new URL("../../jobs/runner/worker.ts", import.meta.url);
const away = async (stage: Stage) => await Deno.rename(stage.folder, `${stage.folder}-away`);
const back = async (stage: Stage) => await Deno.rename(`${stage.folder}-away`, stage.folder);
const said = async (stage: Stage, id: string, text: string) => {
  for await (const event of stage.jobs.follow(id)) if (event.message.includes(text)) return;
  throw new Error(`It ended without saying '${text}': ${JSON.stringify((await stage.jobs.get(id))?.error)}`);
};

Deno.test("storage that goes away in a run is waited for, and said once at its beginning and once at its end", async () => {
  await using stage = await Stage.open();
  stage.runner({ workerUrl: WORKER });
  const { id } = (await stage.jobs.create({ ...pretraining(), epochs: 200 } as never)).job;
  await stage.when(id, (job) => job.latestCheckpoint !== null);
  await away(stage);
  await said(stage, id, "; waiting");
  expect(await stage.jobs.get(id)).toMatchObject({ status: "running" });
  await back(stage);
  expect(await stage.ended(id)).toMatchObject({ status: "succeeded", attempt: 1, interruptions: 0 });
  const messages = (await stage.jobs.events(id, { limit: 1000 })).map(({ message }) => message);
  expect(messages.filter((message) => message.includes("storage is unavailable")).length).toBe(1);
  expect(messages.filter((message) => message.includes("storage is available again")).length).toBe(1);
});

Deno.test("a run that waits for storage can be cancelled", async () => {
  await using stage = await Stage.open();
  stage.runner({ workerUrl: WORKER });
  const { id } = (await stage.jobs.create({ ...pretraining(), epochs: 10_000 } as never)).job;
  await stage.when(id, (job) => job.latestCheckpoint !== null);
  await away(stage);
  await said(stage, id, "; waiting");
  await stage.jobs.cancel(id);
  expect(await stage.ended(id)).toMatchObject({ status: "cancelled", error: null });
  await back(stage);
});

Deno.test("after its patience a run hands its job back with the cause; it goes on when storage is back", async () => {
  await using stage = await Stage.open();
  stage.runner({ workerUrl: WORKER, outage: { waitMs: 200, limitMs: 3_600_000 } });
  const { id } = (await stage.jobs.create({ ...pretraining(), epochs: 200 } as never)).job;
  await stage.when(id, (job) => job.latestCheckpoint !== null);
  await away(stage);
  const waiting = await stage.when(id, (job) => job.status === "queued");
  expect(waiting).toMatchObject({ attempt: 1, interruptions: 1, error: null });
  await said(stage, id, "Back in the queue: Object storage is unavailable");
  // Two probes find nothing: no job is claimed meanwhile.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(await stage.jobs.get(id)).toMatchObject({ status: "queued", attempt: 1 });
  await back(stage);
  expect(await stage.ended(id)).toMatchObject({ status: "succeeded", attempt: 2 });
  expect((await stage.jobs.metrics(id)).steps.length).toBe(400);
});

for (const waitMs of [100, 3_600_000]) {
  Deno.test(`an outage longer than the limit fails the job by name (wait of ${waitMs} ms)`, async () => {
    await using stage = await Stage.open();
    stage.runner({ workerUrl: WORKER, outage: { waitMs, limitMs: 1_000 } });
    const { id } = (await stage.jobs.create({ ...pretraining(), epochs: 10_000 } as never)).job;
    await stage.when(id, (job) => job.latestCheckpoint !== null);
    await away(stage);
    const job = await stage.ended(id);
    expect(job).toMatchObject({ status: "failed", error: { code: "storage_unavailable" } });
    expect(job.error!.message).toContain("UNMASK_OUTAGE_LIMIT_HOURS");
    await back(stage);
  });
}
