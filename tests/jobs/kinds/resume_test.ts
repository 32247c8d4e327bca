import { cp } from "node:fs/promises";
import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import { StorageUnavailableError } from "../../../data/objects/store.ts";
import type { Checkpoint, Job } from "../../../jobs/job.ts";
import { resume } from "../../../jobs/kinds/compute/resume.ts";
import { resumePoints } from "../../../jobs/store/checkpoints/read.ts";
import { keys } from "../../../jobs/store/rows/keys.ts";
import { Runner } from "../../../jobs/runner/runner.ts";
import { JobStore } from "../../../jobs/store/store.ts";
import { isFinished } from "../../../jobs/transitions.ts";
import { request } from "../fixtures.ts";

const STEPS_PER_EPOCH = 2;
const TRAINING = request({
  dataset: { id: "digits", size: 16, seed: 3 },
  model: {
    patch_size: 7,
    embed_dim: 16,
    depth: 1,
    num_heads: 2,
    decoder_embed_dim: 8,
    decoder_depth: 1,
    decoder_num_heads: 2,
    dropout: 0.1,
  },
  batch_size: 8,
  epochs: 12,
  seed: 4,
  keep: { last: 100 },
});

/** A database and object storage in a folder, and runners on them. */
class Place implements AsyncDisposable {
  private constructor(readonly folder: string, readonly jobs: JobStore) {}

  static async open(folder: string): Promise<Place> {
    return new Place(folder, new JobStore(await Deno.openKv(`${folder}/kv.sqlite3`)));
  }

  path(key: string): string {
    return `${this.folder}/objects/${key}`;
  }

  /** Runs jobs until one fulfils the condition. The runner then hands back its jobs. */
  async until(id: string, fits: (job: Job) => boolean): Promise<Job> {
    const runner = new Runner({
      jobs: this.jobs,
      storage: { url: `file:${this.folder}/objects` },
      pollMs: 20,
      log: () => {},
    });
    runner.start();
    for await (const _ of this.jobs.follow(id)) if (fits((await this.jobs.get(id))!)) break;
    await runner.stop();
    return (await this.jobs.get(id))!;
  }

  async checkpoints(id: string): Promise<Checkpoint[]> {
    const { data } = await this.jobs.listCheckpoints(id, { limit: 1000 });
    return [...data].sort((a, b) => b.step - a.step);
  }

  /** All parts of a finished run that could differ. */
  async outcome(id: string) {
    const job = (await this.jobs.get(id))!;
    expect(job).toMatchObject({ status: "succeeded" });
    const { sha256, stateSha256, step } = (await this.jobs.getCheckpoint(job.latestCheckpoint!))!;
    const { steps, epochs } = await this.jobs.metrics(id);
    return { sha256, stateSha256, step, steps, epochs, loss: job.result!.loss };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.jobs.kv.close();
    return Promise.resolve();
  }
}

const flipBit = async (path: string) => {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length - 5] ^= 1;
  await Deno.writeFile(path, bytes);
};
const junk = (path: string) => Deno.writeTextFile(path, "junk");
const cutShort = async (path: string) => await Deno.truncate(path, (await Deno.stat(path)).size - 9);
const empty = (path: string) => Deno.truncate(path, 0);

Deno.test("a run whose newest checkpoints are damaged resumes from the newest whole one, bit for bit", async (t) => {
  const root = await Deno.makeTempDir();
  const whole = `${root}/whole`, interrupted = `${root}/interrupted`;
  for (const folder of [whole, interrupted]) await Deno.mkdir(folder);
  let expected: Awaited<ReturnType<Place["outcome"]>>;
  let id: string;
  {
    await using place = await Place.open(whole);
    ({ job: { id } } = await place.jobs.create(TRAINING));
    await place.until(id, (job) => isFinished(job.status));
    expected = await place.outcome(id);
    expect(expected.step).toBe(12 * STEPS_PER_EPOCH);
  }
  {
    await using place = await Place.open(interrupted);
    ({ job: { id } } = await place.jobs.create(TRAINING));
    const job = await place.until(id, (job) => (job.progress?.step ?? 0) >= 4 * STEPS_PER_EPOCH);
    expect(job).toMatchObject({ status: "queued" });
  }

  type Damage = (place: Place, newest: Checkpoint[]) => Promise<void>;
  const table: Record<string, { damage: Damage; damaged: number }> = {
    "nothing": { damage: async () => {}, damaged: 0 },
    "a bit of the state": { damage: (place, [a]) => flipBit(place.path(a.stateKey!)), damaged: 1 },
    "a bit of the weights": { damage: (place, [a]) => flipBit(place.path(a.objectKey)), damaged: 1 },
    "junk for a state": { damage: (place, [a]) => junk(place.path(a.stateKey!)), damaged: 1 },
    "a state cut short": { damage: (place, [a]) => cutShort(place.path(a.stateKey!)), damaged: 1 },
    "an empty file of weights": { damage: (place, [a]) => empty(place.path(a.objectKey)), damaged: 1 },
    "a missing state": { damage: (place, [a]) => Deno.remove(place.path(a.stateKey!)), damaged: 1 },
    "missing weights": { damage: (place, [a]) => Deno.remove(place.path(a.objectKey)), damaged: 1 },
    "a folder in the place of a state": {
      damage: async (place, [a]) => {
        await Deno.remove(place.path(a.stateKey!));
        await Deno.mkdir(place.path(a.stateKey!));
      },
      damaged: 1,
    },
    "junk of an earlier version, whose rows have no digest of the state": {
      damage: async (place, [a]) => {
        const { stateSha256: _, ...row } = a;
        await place.jobs.kv.set(keys.checkpoint(a.id), row);
        await junk(place.path(a.stateKey!));
      },
      damaged: 1,
    },
    "the newest two": {
      damage: async (place, [a, b]) => {
        await flipBit(place.path(a.stateKey!));
        await Deno.remove(place.path(b.objectKey));
      },
      damaged: 2,
    },
    "all of them": {
      damage: async (place, all) => {
        for (const { stateKey } of all) await junk(place.path(stateKey!));
      },
      damaged: Infinity,
    },
  };
  for (const [what, { damage, damaged }] of Object.entries(table)) {
    await t.step(what, async () => {
      const folder = `${root}/case`;
      await cp(interrupted, folder, { recursive: true });
      await using place = await Place.open(folder);
      const before = await place.checkpoints(id);
      await damage(place, before);
      const lost = before.slice(0, damaged), used = before[damaged];
      await place.until(id, (job) => isFinished(job.status));
      expect(await place.outcome(id)).toEqual(expected);
      const events = await place.jobs.events(id, { limit: 1000 });
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

Deno.test("a job that fell back and was stopped again continues from the same checkpoint", async () => {
  const folder = await Deno.makeTempDir();
  await using place = await Place.open(folder);
  const { job: { id } } = await place.jobs.create(TRAINING);
  await place.until(id, (job) => (job.progress?.step ?? 0) >= 4 * STEPS_PER_EPOCH);
  const [newest, next] = await place.checkpoints(id);
  await junk(place.path(newest.stateKey!));
  const taken = (job: Job) => job.latestCheckpoint !== newest.id && job.attempt === 2;
  await place.until(id, taken);
  const events = async () =>
    (await place.jobs.events(id, { limit: 1000 })).filter(({ data }) => "damaged" in data);
  expect((await events()).map(({ data }) => data.checkpoint)).toEqual([next.id]);
  const job = await place.until(id, ({ status }) => isFinished(status));
  expect(job).toMatchObject({ status: "succeeded", attempt: 3 });
  expect((await events()).length).toBe(1);
  const { steps } = await place.jobs.metrics(id);
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a run does not fall back in an outage of storage, and reports the outage", async () => {
  const folder = await Deno.makeTempDir();
  await using place = await Place.open(folder);
  const { job: { id } } = await place.jobs.create(TRAINING);
  await place.until(id, (job) => (job.progress?.step ?? 0) >= 4 * STEPS_PER_EPOCH);
  const [resumeFrom, ...fallbacks] = await resumePoints(place.jobs.kv, (await place.jobs.get(id))!);
  expect(fallbacks.length).toBeGreaterThan(1);
  const objects = openStore({ url: `file:${folder}/objects` });
  const store = new Proxy(objects, {
    get(target, name) {
      if (name === "get") return () => Promise.reject(new StorageUnavailableError("Object storage is away"));
      return target[name as keyof typeof target];
    },
  });
  const events: unknown[] = [];
  const resuming = resume({ store, resumeFrom, fallbacks }, () => true);
  await expect((async () => {
    for await (const event of resuming) events.push(event);
  })()).rejects.toThrow(StorageUnavailableError);
  expect(events).toEqual([]);
  await Deno.remove(folder, { recursive: true });
});
