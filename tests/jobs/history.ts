/**
 * Databases with many jobs: after random changes, of an earlier version, and with jobs of each status.
 *
 * @module
 */
import { type Job, JOB_STATUSES, type JobStatus } from "../../jobs/job.ts";
import { uniform } from "../../model/random.ts";
import { claimed, NO_OBJECTS, request, type StoreFixture } from "./fixtures.ts";

/** Counts the jobs with each status from their rows. */
export async function recounted(kv: Deno.Kv): Promise<Record<JobStatus, number>> {
  const counts = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])) as Record<JobStatus, number>;
  for await (const { value } of kv.list<{ job: { status: JobStatus } }>({ prefix: ["job"] })) {
    counts[value.job.status]++;
  }
  return counts;
}

/** Converts a database to one of an earlier version: without counters, and with rows that are not counted. */
export async function makeOld(kv: Deno.Kv): Promise<void> {
  for (const prefix of [["job_count"], ["dataset_job"], ["index_version"]]) {
    await kv.delete(prefix);
    for await (const { key } of kv.list({ prefix })) await kv.delete(key);
  }
  for await (const { key, value } of kv.list<Record<string, unknown>>({ prefix: ["job"] })) {
    const { indexVersion: _, ...old } = value;
    await kv.set(key, old);
  }
}

const OUTCOMES = [
  { type: "succeeded", result: {} },
  { type: "failed", error: { code: "x", message: "x" } },
  { type: "cancelled" },
  { type: "released" },
] as const;

/** Makes seeded random changes: jobs are created, claimed, finished, cancelled, lost and deleted. */
export async function changeAtRandom(fixture: StoreFixture, seed: number, changes: number): Promise<void> {
  const { store, clock, runner } = fixture;
  const draws = uniform({ seed, purpose: "changes" }, 2 * changes);
  for (let i = 0; i < changes; i++) {
    const [action, choice] = [draws[2 * i], draws[2 * i + 1]];
    if (action < 0.4) await store.create(request({ dataset: choice < 0.5 ? "ds_1" : "digits" }));
    else if (action < 0.6) {
      const queue = runner(), claim = await queue.claim();
      if (claim) await claim.finish(OUTCOMES[Math.floor(choice * OUTCOMES.length)]);
    } else if (action < 0.7) await runner().claim();
    else if (action < 0.8) {
      clock.advance(60_000);
      await runner().reap();
    } else {
      const { data } = await store.list({ limit: 50 });
      const job = data[Math.floor(choice * data.length)];
      if (job === undefined) continue;
      await (action < 0.9 ? store.cancel(job.id) : store.delete(job.id, NO_OBJECTS)).catch(() => {});
    }
  }
}

/** Creates jobs of two kinds with each status. @returns the jobs by status and kind */
export async function jobsOfEachStatus({ store, runner }: StoreFixture): Promise<Map<string, Job>> {
  const queue = runner();
  const outcomes = [
    { type: "succeeded", result: {} },
    { type: "failed", error: { code: "x", message: "x" } },
    { type: "cancelled" },
  ] as const;
  const jobs: string[] = [];
  for (const outcome of [...outcomes, "running", "queued"] as const) {
    for (const kind of ["pretrain", "linear_probe"]) {
      const model = kind === "pretrain" ? {} : { model: "mnist" };
      jobs.push((await store.create(request({ kind, ...model }))).job.id);
      if (outcome === "queued") continue;
      const claim = await claimed(queue);
      if (outcome !== "running") await claim.finish(outcome);
    }
  }
  const all = await Promise.all(jobs.map(async (id) => (await store.get(id))!));
  return new Map(all.map((job) => [`${job.status} ${job.kind}`, job]));
}
