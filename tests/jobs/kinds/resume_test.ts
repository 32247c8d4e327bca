import { cp } from "node:fs/promises";
import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { StorageUnavailableError } from "../../../data/objects/store.ts";
import type { Checkpoint, Job } from "../../../jobs/job.ts";
import { resume } from "../../../jobs/kinds/compute/resume.ts";
import { resumePoints } from "../../../jobs/store/checkpoints/read.ts";
import { keys } from "../../../jobs/store/rows/keys.ts";
import { isFinished } from "../../../jobs/transitions.ts";
import { request } from "../fixtures.ts";
import { MODEL } from "./harness.ts";
import { Installation } from "./installation.ts";

const STEPS_PER_EPOCH = 2;
const TRAINING = request({
  dataset: { id: "digits", size: 16, seed: 3 },
  model: { ...MODEL, depth: 2, cls_token: true, dropout: 0.1, drop_path: 0.2 },
  batch_size: 8,
  epochs: 12,
  seed: 4,
  keep: { last: 100 },
});

const flipBit = async (path: string) => {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 5] ^= 1;
  await Deno.writeFile(path, bytes);
};
const overwrite = (path: string) => Deno.writeTextFile(path, "not safetensors");
const truncate = async (path: string) => await Deno.truncate(path, (await Deno.stat(path)).size - 9);
const empty = (path: string) => Deno.truncate(path, 0);

Deno.test("a run resumes from its newest readable checkpoint, and ends with the same bits", async (t) => {
  const root = await Deno.makeTempDir();
  const uninterrupted = `${root}/uninterrupted`, interrupted = `${root}/interrupted`;
  for (const folder of [uninterrupted, interrupted]) await Deno.mkdir(folder);
  let expected: Awaited<ReturnType<Installation["outcome"]>>;
  let id: string;
  {
    await using installation = await Installation.open(uninterrupted);
    ({ job: { id } } = await installation.jobs.create(TRAINING));
    await installation.until(id, (job) => isFinished(job.status));
    expected = await installation.outcome(id);
    expect(expected.step).toBe(12 * STEPS_PER_EPOCH);
  }
  {
    await using installation = await Installation.open(interrupted);
    ({ job: { id } } = await installation.jobs.create(TRAINING));
    const job = await installation.until(id, (job) => (job.progress?.step ?? 0) >= 4 * STEPS_PER_EPOCH);
    expect(job).toMatchObject({ status: "queued" });
  }

  type Damage = (installation: Installation, newest: Checkpoint[]) => Promise<void>;
  const table: Record<string, { damage: Damage; damaged: number }> = {
    "no damage": { damage: async () => {}, damaged: 0 },
    "a bit of the state": {
      damage: (installation, [a]) => flipBit(installation.path(a.stateKey!)),
      damaged: 1,
    },
    "a bit of the weights": {
      damage: (installation, [a]) => flipBit(installation.path(a.objectKey)),
      damaged: 1,
    },
    "an overwritten state": {
      damage: (installation, [a]) => overwrite(installation.path(a.stateKey!)),
      damaged: 1,
    },
    "a truncated state": {
      damage: (installation, [a]) => truncate(installation.path(a.stateKey!)),
      damaged: 1,
    },
    "an empty file of weights": {
      damage: (installation, [a]) => empty(installation.path(a.objectKey)),
      damaged: 1,
    },
    "a missing state": {
      damage: (installation, [a]) => Deno.remove(installation.path(a.stateKey!)),
      damaged: 1,
    },
    "missing weights": {
      damage: (installation, [a]) => Deno.remove(installation.path(a.objectKey)),
      damaged: 1,
    },
    "a folder with the name of a state": {
      damage: async (installation, [a]) => {
        await Deno.remove(installation.path(a.stateKey!));
        await Deno.mkdir(installation.path(a.stateKey!));
      },
      damaged: 1,
    },
    "an overwritten state of an earlier version, whose row has no digest of it": {
      damage: async (installation, [a]) => {
        const { stateSha256: _, ...row } = a;
        await installation.jobs.kv.set(keys.checkpoint(a.id), row);
        await overwrite(installation.path(a.stateKey!));
      },
      damaged: 1,
    },
    "the newest two": {
      damage: async (installation, [a, b]) => {
        await flipBit(installation.path(a.stateKey!));
        await Deno.remove(installation.path(b.objectKey));
      },
      damaged: 2,
    },
    "all checkpoints": {
      damage: async (installation, all) => {
        for (const { stateKey } of all) await overwrite(installation.path(stateKey!));
      },
      damaged: Infinity,
    },
  };
  for (const [name, { damage, damaged }] of Object.entries(table)) {
    await t.step(name, async () => {
      const folder = `${root}/case`;
      await cp(interrupted, folder, { recursive: true });
      await using installation = await Installation.open(folder);
      const before = await installation.checkpoints(id);
      await damage(installation, before);
      const lost = before.slice(0, damaged), used = before[damaged];
      await installation.until(id, (job) => isFinished(job.status));
      expect(await installation.outcome(id)).toEqual(expected);
      const events = await installation.jobs.events(id, { limit: 1000 });
      const warnings = events.filter(({ level, data }) => level === "warning" && "damaged" in data);
      expect(warnings.length).toBe(damaged === 0 ? 0 : 1);
      if (damaged > 0) {
        expect(warnings[0].data).toMatchObject({
          damaged: lost.map((row) => row.id),
          checkpoint: used?.id ?? null,
          step: used?.step ?? 0,
        });
        for (const row of lost) expect(warnings[0].message).toContain(row.id);
        expect(warnings[0].message).toContain(used?.id ?? "the start");
      }
      await Deno.remove(folder, { recursive: true });
    });
  }
  await Deno.remove(root, { recursive: true });
});

Deno.test("a job that fell back and was stopped again resumes from the same checkpoint", async () => {
  const folder = await Deno.makeTempDir();
  await using installation = await Installation.open(folder);
  const { job: { id } } = await installation.jobs.create(TRAINING);
  await installation.until(id, (job) => (job.progress?.step ?? 0) >= 4 * STEPS_PER_EPOCH);
  const [newest, next] = await installation.checkpoints(id);
  await overwrite(installation.path(newest.stateKey!));
  const hasFallenBack = (job: Job) => job.latestCheckpoint !== newest.id && job.attempt === 2;
  await installation.until(id, hasFallenBack);
  const events = async () =>
    (await installation.jobs.events(id, { limit: 1000 })).filter(({ data }) => "damaged" in data);
  expect((await events()).map(({ data }) => data.checkpoint)).toEqual([next.id]);
  const job = await installation.until(id, ({ status }) => isFinished(status));
  expect(job).toMatchObject({ status: "succeeded", attempt: 3 });
  expect((await events()).length).toBe(1);
  const { steps } = await installation.jobs.metrics(id);
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a run does not fall back in an outage of storage", async () => {
  const folder = await Deno.makeTempDir();
  await using installation = await Installation.open(folder);
  const { job: { id } } = await installation.jobs.create(TRAINING);
  await installation.until(id, (job) => (job.progress?.step ?? 0) >= 4 * STEPS_PER_EPOCH);
  const points = await resumePoints(installation.jobs.kv, (await installation.jobs.get(id))!);
  expect(points.length).toBeGreaterThan(2);
  const objects = openStore({ url: `file:${folder}/objects` });
  const store = new Proxy(objects, {
    get(target, name) {
      if (name === "get") {
        return () => Promise.reject(new StorageUnavailableError("Object storage is unavailable"));
      }
      return target[name as keyof typeof target];
    },
  });
  const events: unknown[] = [];
  const resuming = resume({ store, resumePoints: points }, false);
  await expect((async () => {
    for await (const event of resuming) events.push(event);
  })()).rejects.toThrow(StorageUnavailableError);
  expect(events).toEqual([]);
  await Deno.remove(folder, { recursive: true });
});
