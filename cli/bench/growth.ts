/**
 * Measures what grows with use: requests with many jobs, a long loss series, many event streams of one job.
 *
 * @module
 */
import { insertJob } from "../../jobs/store/change.ts";
import type { Job } from "../../jobs/job.ts";
import { type JobRow, keys } from "../../jobs/store/rows/keys.ts";
import type { JobRequest } from "../../jobs/requests/schemas.ts";
import { JobStore } from "../../jobs/store/store.ts";
import type { Client } from "../client.ts";
import { type ServiceProcess, startProcess } from "../process.ts";
import { median } from "./engine.ts";

/** The sizes to measure with. */
export interface GrowthSubject {
  /** Jobs in the database: half are queued, half have succeeded. */
  readonly jobs: number;
  /** Epochs of the long series, of two steps each. */
  readonly epochs: number;
  /** Event streams of one job. */
  readonly listeners: number;
  /** Seconds that listeners are observed. */
  readonly seconds: number;
  /** Threads of the training job that the streams follow. */
  readonly threads: number;
  /** Address of a `denokv` server with an empty database; null for a local file. */
  readonly kv: string | null;
}

/** Median time of a response in milliseconds, and its bytes. */
export interface AnswerFigures {
  readonly ms: number;
  readonly bytes: number;
}

/** CPU use of the service as a share of one core, and the speed of its training job, without and with listeners. */
export interface ListenerFigures {
  readonly idleCpu: number;
  readonly listenedCpu: number;
  readonly trainingImagesPerSecond: number;
  readonly listenedImagesPerSecond: number;
}

/** Fills a database with jobs, many in each commit. */
async function fill(kv: Deno.Kv, jobs: number): Promise<void> {
  const store = new JobStore(kv);
  await store.upgrade();
  const request = { kind: "pretrain", dataset: { id: "digits" }, epochs: 1 } as JobRequest;
  const { job: model } = await store.create(request);
  const COMMIT = 50;
  for (let from = 1; from < jobs; from += COMMIT) {
    const operation = kv.atomic();
    for (let i = from; i < Math.min(jobs, from + COMMIT); i++) {
      const id = `job_0${String(i).padStart(25, "0")}`;
      const job: Job = { ...model, id, status: i % 2 === 0 ? "queued" : "succeeded" };
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
  for (let chunk = 0; chunk * 512 < 2 * epochs; chunk++) {
    const steps = Array.from(
      { length: Math.min(512, 2 * epochs - chunk * 512) },
      (_, i) => chunk * 512 + i + 1,
    );
    await kv.set(keys.steps(id, chunk), {
      steps: Uint32Array.from(steps),
      epochs: Uint32Array.from(steps, (step) => Math.floor((step - 1) / 2)),
      losses: Float64Array.from(steps, (step) => 1 / step),
      rates: Float64Array.from(steps, () => 1e-3),
    });
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
export async function answerFigures(subject: GrowthSubject): Promise<Record<string, AnswerFigures>> {
  const folder = await Deno.makeTempDir();
  try {
    const path = subject.kv ?? `${folder}/kv.sqlite3`;
    const kv = await Deno.openKv(path);
    await fill(kv, subject.jobs);
    const id = await writeSeries(kv, subject.epochs);
    const store = new JobStore(kv), times: number[] = [];
    for (let i = 0; i < 7; i++) {
      const start = performance.now();
      await store.usesDataset("ds_none");
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

/** Processor time that a process has used so far, in seconds. Linux only. */
async function processorSeconds(pid: number): Promise<number> {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function cpuShare({ pid }: ServiceProcess, seconds: number): Promise<number> {
  const before = await processorSeconds(pid);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1e3));
  return (await processorSeconds(pid) - before) / seconds;
}

/** Opens event streams and reads them; resolves when all of them have started. */
async function listen({ url }: ServiceProcess, id: string, count: number, stop: AbortSignal): Promise<void> {
  await Promise.all(Array.from({ length: count }, async () => {
    const headers = { accept: "text/event-stream" };
    const response = await fetch(`${url}/v1/jobs/${id}/events`, { headers, signal: stop });
    const reader = response.body!.getReader();
    await reader.read();
    (async () => {
      while (!(await reader.read()).done);
    })().catch(() => {});
  }));
}

/** Images per second of a training job, measured over `seconds`. */
async function pace(client: Client, id: string, batch: number, seconds: number): Promise<number> {
  const look = async () => {
    const { progress } = await (await client.send(`/v1/jobs/${id}`)).json();
    return { step: progress?.step ?? 0, at: performance.now() };
  };
  let first = await look();
  while (first.step === 0) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    first = await look();
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1e3));
  const last = await look();
  return (last.step - first.step) * batch / ((last.at - first.at) / 1e3);
}

/** Measures the cost of event streams of one job: a queued job, and a job that trains in the same process. */
export async function listenerFigures(subject: GrowthSubject): Promise<ListenerFigures> {
  const { listeners, seconds, threads } = subject;
  const batch = 128;
  const request = {
    kind: "pretrain",
    model: "mnist",
    dataset: { id: "digits", size: 20_000 },
    batch_size: batch,
    epochs: 1000,
  };
  const measured = async <T>(
    command: "api" | "start",
    measure: (service: ServiceProcess, id: string, join: () => Promise<void>) => Promise<T>,
  ): Promise<T> => {
    const folder = await Deno.makeTempDir(), stop = new AbortController();
    const service = await startProcess(command, folder, { UNMASK_THREADS: String(threads) });
    try {
      const { id } = await service.client.createJob(request);
      const figures = await measure(service, id, () => listen(service, id, listeners, stop.signal));
      stop.abort();
      await service.client.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
      return figures;
    } finally {
      stop.abort();
      await service.end("SIGTERM");
      await Deno.remove(folder, { recursive: true });
    }
  };
  const silent = await measured("api", async (service, _, join) => {
    const idleCpu = await cpuShare(service, seconds);
    await join();
    return { idleCpu, listenedCpu: await cpuShare(service, seconds) };
  });
  const training = await measured("start", async ({ client }, id, join) => {
    await pace(client, id, batch, 3);
    const trainingImagesPerSecond = await pace(client, id, batch, seconds);
    await join();
    return { trainingImagesPerSecond, listenedImagesPerSecond: await pace(client, id, batch, seconds) };
  });
  return { ...silent, ...training };
}
