/**
 * Measures the waiting times of a user: a job over HTTP, the start of a runner, a reconstruction.
 *
 * @module
 */
import { pause } from "../../data/backoff.ts";
import type { Client, JobView } from "../client.ts";
import { uploadMnist } from "../uploadMnist.ts";
import { type ServiceProcess, startProcess } from "../process.ts";
import { answerFigures } from "./answerFigures.ts";
import { peakMemory } from "./peakMemory.ts";

/** The job to measure. */
export interface ServiceSubject {
  /** Folder with the four files of MNIST, or null for the data set `digits`. */
  readonly mnist: string | null;
  readonly batch: number;
  readonly threads: number;
  readonly epochs: number;
}

/** Number of training images of `digits`, equal to that of MNIST. */
const DIGITS_SIZE = 60_000;

async function getJob(client: Client, id: string, query: string): Promise<JobView> {
  const job: JobView = await (await client.send(`/v1/jobs/${id}${query}`)).json();
  if (job.status === "failed" || job.status === "cancelled") throw new Error(JSON.stringify(job.error));
  return job;
}

/** Polls every 10 ms until the job has made a step. */
async function waitForFirstStep(client: Client, id: string): Promise<void> {
  while (!((await getJob(client, id, "")).progress?.step ?? 0)) {
    await pause(10);
  }
}

/** Waits in long requests, because polling would slow the training down. */
async function waitForSuccess(client: Client, id: string): Promise<JobView> {
  while (true) {
    const job = await getJob(client, id, "?wait=60");
    if (job.status === "succeeded") return job;
  }
}

/** Measurements of a training job. */
export interface JobFigures {
  readonly id: string;
  /** Milliseconds from the request until the job has succeeded. */
  readonly ms: number;
  readonly steps: number;
  /** Mean loss of each epoch. */
  readonly losses: readonly number[];
  readonly checkpoint: string;
}

/** Measurements of the service. */
export interface ServiceFigures {
  /** Milliseconds from the start of a runner's process until the API reports its first step. */
  readonly firstStepMs: number;
  /** A job with the API and the runner in separate processes. */
  readonly separate: JobFigures;
  /** Peak memory of the runner. */
  readonly runnerPeakMib: number | null;
  /** The same job with both in one process. */
  readonly combined: JobFigures;
  /** Reconstructions with its model. */
  readonly answers: object;
}

/** Creates a job and waits until it has succeeded. @throws {Error} when it fails */
export async function timeJob(client: Client, request: object): Promise<JobFigures> {
  const start = performance.now();
  const { id } = await client.createJob(request);
  const job = await waitForSuccess(client, id);
  const ms = performance.now() - start;
  const losses = (await client.series(id)).epochs.map(({ loss }) => loss);
  return { id, ms, steps: job.progress!.step, losses, checkpoint: job.latest_checkpoint! };
}

/** Returns the reference of MNIST, which is uploaded, or of as many images of `digits`. @param mnist its folder */
export async function prepareDataset(client: Client, mnist: string | null) {
  return mnist === null ? { id: "digits", size: DIGITS_SIZE } : { id: await uploadMnist(client, mnist) };
}

/** Creates the data set. @returns its reference and the request for the job */
async function prepare(client: Client, { mnist, batch, epochs }: ServiceSubject) {
  const dataset = await prepareDataset(client, mnist);
  return { dataset, request: { kind: "pretrain", model: "mnist", dataset, batch_size: batch, epochs } };
}

/** Calls `use` with a function that starts processes in a temporary folder, and stops them at the end. */
export async function withService<T>(
  threads: number,
  use: (start: (command: "start" | "api" | "runner") => Promise<ServiceProcess>) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir(), processes: ServiceProcess[] = [];
  try {
    return await use(async (command) => {
      const process = await startProcess(command, folder, { UNMASK_THREADS: String(threads) });
      processes.push(process);
      return process;
    });
  } finally {
    for (const process of processes.reverse()) await process.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  }
}

/** Measures the service with its parts in separate processes, then in one process. */
export async function serviceFigures(subject: ServiceSubject): Promise<ServiceFigures> {
  const separate = await withService(subject.threads, async (start) => {
    const { client } = await start("api");
    const { request } = await prepare(client, subject);
    const first = await client.createJob({ ...request, epochs: 1, max_steps: 1 });
    const started = performance.now();
    const runner = await start("runner");
    await waitForFirstStep(client, first.id);
    const firstStepMs = performance.now() - started;
    await waitForSuccess(client, first.id);
    return {
      firstStepMs,
      separate: await timeJob(client, request),
      runnerPeakMib: await peakMemory(runner.pid),
    };
  });
  const combined = await withService(subject.threads, async (start) => {
    const { client, pid } = await start("start");
    const { dataset, request } = await prepare(client, subject);
    const combined = await timeJob(client, request);
    const { checkpoint } = combined;
    return {
      combined,
      answers: await answerFigures({ url: client.url, pid, checkpoint, dataset: dataset.id }),
    };
  });
  return { ...separate, ...combined };
}
