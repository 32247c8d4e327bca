/**
 * Databases with a history: jobs that were changed at random, and rows as an earlier version left them.
 *
 * @module
 */
import { JOB_STATUSES, type JobStatus } from "../../jobs/job.ts";
import { uniform } from "../../model/random.ts";
import { NO_OBJECTS, request, type Setting } from "./fixtures.ts";

/** Number of jobs in every state, counted from their rows. */
export async function recounted(kv: Deno.Kv): Promise<Record<JobStatus, number>> {
  const counts = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])) as Record<JobStatus, number>;
  for await (const { value } of kv.list<{ job: { status: JobStatus } }>({ prefix: ["job"] })) {
    counts[value.job.status]++;
  }
  return counts;
}

/** Changes a database to that of an earlier version, without counters and with rows that are not counted. */
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

const ENDS = [
  { type: "succeeded", result: {} },
  { type: "failed", error: { code: "x", message: "x" } },
  { type: "cancelled" },
  { type: "released" },
] as const;

/** Changes jobs by a seeded plan: it creates, claims, ends, cancels, loses and deletes them. */
export async function changeAtRandom(setting: Setting, seed: number, changes: number): Promise<void> {
  const { store, clock, runner } = setting;
  const draws = uniform({ seed, purpose: "changes" }, 2 * changes);
  for (let i = 0; i < changes; i++) {
    const [kind, choice] = [draws[2 * i], draws[2 * i + 1]];
    if (kind < 0.4) await store.create(request({ dataset: choice < 0.5 ? "ds_1" : "digits" }));
    else if (kind < 0.6) {
      const queue = runner(), claim = await queue.claim();
      if (claim) await claim.finish(ENDS[Math.floor(choice * ENDS.length)]);
    } else if (kind < 0.7) await runner().claim();
    else if (kind < 0.8) {
      clock.advance(60_000);
      await runner().reap();
    } else {
      const { data } = await store.list({ limit: 50 });
      const job = data[Math.floor(choice * data.length)];
      if (job === undefined) continue;
      await (kind < 0.9 ? store.cancel(job.id) : store.delete(job.id, NO_OBJECTS)).catch(() => {});
    }
  }
}
