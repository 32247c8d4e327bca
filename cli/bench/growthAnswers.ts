/**
 * Measures responses of a service with many jobs and a long loss series.
 *
 * @module
 */
import { insertJob } from "../../jobs/store/change.ts";
import { findDatasetUser } from "../../jobs/store/creation/datasetUse.ts";
import type { Job } from "../../jobs/job.ts";
import { METRICS_LIMITS, stepRows } from "../../jobs/store/metrics/chunks.ts";
import { type JobRow, keys } from "../../jobs/store/rows/keys.ts";
import type { JobRequest } from "../../jobs/requests/commonFields.ts";
import { JobStore } from "../../jobs/store/store.ts";
import type { Client } from "../client.ts";
import { startProcess } from "../process.ts";
import { median } from "./engine.ts";

/** Sizes of the database. */
export interface DatabaseSubject {
  /** Number of jobs: half are queued, half have succeeded. */
  readonly jobs: number;
  /** Number of epochs of the long loss series, of two steps each. */
  readonly epochs: number;
  /** Address of a `denokv` server with an empty database; null for a local file. */
  readonly kv: string | null;
}

/** Median time of a response in milliseconds, and its bytes. */
export interface AnswerFigures {
  readonly ms: number;
  readonly bytes: number;
}

/** Fills a database with jobs, many in each commit. */
async function fill(kv: Deno.Kv, jobs: number): Promise<void> {
  const store = new JobStore(kv);
  await store.upgrade();
  const request: JobRequest = { kind: "pretrain", dataset: { id: "digits" }, metadata: {}, seed: 0 };
  const { job: template } = await store.create(request);
  const COMMIT = 50;
  for (let from = 1; from < jobs; from += COMMIT) {
    const operation = kv.atomic();
    for (let i = from; i < Math.min(jobs, from + COMMIT); i++) {
      const id = `job_0${String(i).padStart(25, "0")}`;
      const job: Job = { ...template, id, status: i % 2 === 0 ? "queued" : "succeeded" };
      insertJob(operation, job, id);
    }
    await operation.commit();
  }
}

/** Writes a series of epochs of two steps. @returns the job's id */
async function writeSeries(kv: Deno.Kv, epochs: number): Promise<string> {
  const id = "job_00000000000000000000000000";
  const { value } = await kv.get<JobRow>(keys.job(id.replace(/0$/, "2")));
  await kv.set(keys.job(id), { ...value!, job: { ...value!.job, id } });
  for (let first = 1; first <= 2 * epochs; first += METRICS_LIMITS.commit) {
    const length = Math.min(METRICS_LIMITS.commit, 2 * epochs - first + 1);
    const steps = Array.from({ length }, (_, i) => {
      const step = first + i;
      return { step, epoch: Math.floor((step - 1) / 2), loss: 1 / step, lr: 1e-3 };
    });
    const operation = kv.atomic();
    (await stepRows(kv, id, steps))(operation);
    await operation.commit();
  }
  for (let epoch = 0; epoch < epochs; epoch++) {
    await kv.set(keys.epoch(id, epoch), { epoch, step: 2 * (epoch + 1), loss: 1 / (epoch + 1), metrics: {} });
  }
  return id;
}

async function answer(client: Client, path: string): Promise<AnswerFigures> {
  const times: number[] = [];
  let bytes = 0;
  for (let i = 0; i < 25; i++) {
    const start = performance.now();
    bytes = (await (await client.send(path)).arrayBuffer()).byteLength;
    if (i >= 4) times.push(performance.now() - start);
  }
  return { ms: median(times), bytes };
}

/** Measures the responses of a service with many jobs and a long series, by path. */
export async function answerFigures(subject: DatabaseSubject): Promise<Record<string, AnswerFigures>> {
  const folder = await Deno.makeTempDir();
  try {
    const path = subject.kv ?? `${folder}/kv.sqlite3`;
    const kv = await Deno.openKv(path);
    await fill(kv, subject.jobs);
    const id = await writeSeries(kv, subject.epochs);
    const times: number[] = [];
    for (let i = 0; i < 7; i++) {
      const start = performance.now();
      await findDatasetUser(kv, "ds_none");
      times.push(performance.now() - start);
    }
    kv.close();
    await using service = await startProcess("api", folder, { UNMASK_KV: path });
    const figures: Record<string, AnswerFigures> = {
      "check whether a data set is in use": { ms: median(times), bytes: 0 },
    };
    const series = `/v1/jobs/${id}/metrics`;
    const paths = [
      "/metrics",
      "/v1/jobs?limit=100",
      "/v1/jobs?limit=100&status=queued",
      `${series}?limit=100`,
      `${series}?every=100`,
      `${series}?limit=100&after=${subject.epochs}`,
    ];
    for (const path of paths) figures[path.replace(id, "JOB")] = await answer(service.client, path);
    return figures;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
