/**
 * What a user waits for: a whole job over HTTP, the start of a runner, one image reconstructed.
 *
 * @module
 */
import type { Client, JobView } from "../client.ts";
import { uploadMnist } from "../mnistFiles.ts";
import { type ServiceProcess, startProcess } from "../process.ts";
import { median } from "./engine.ts";
import { peakMemory } from "./memory.ts";

/** What is asked of the service. */
export interface ServiceSubject {
  /** Folder with MNIST's four files; images are drawn where it is null. */
  readonly mnist: string | null;
  readonly batch: number;
  readonly threads: number;
  readonly epochs: number;
}

/** Images drawn where there is no MNIST. */
const DRAWN = 60_000;

async function look(client: Client, id: string, query: string): Promise<JobView> {
  const job: JobView = await (await client.send(`/v1/jobs/${id}${query}`)).json();
  if (job.status === "failed" || job.status === "cancelled") throw new Error(JSON.stringify(job.error));
  return job;
}

/** Looks often: what is awaited comes soon. */
async function firstStep(client: Client, id: string): Promise<void> {
  while (!((await look(client, id, "")).progress?.step ?? 0)) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Lets the API wait: looking would take time from the training. */
async function success(client: Client, id: string): Promise<JobView> {
  while (true) {
    const job = await look(client, id, "?wait=60");
    if (job.status === "succeeded") return job;
  }
}

/** Times `count` answers, after some that are not counted. @returns milliseconds of each */
async function answers(ask: () => Promise<Response>, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < count + 20; i++) {
    const start = performance.now();
    await (await ask()).arrayBuffer();
    if (i >= 20) times.push(performance.now() - start);
  }
  return times;
}

/** A whole training as its user sees it. */
export interface JobFigures {
  /** Milliseconds from the request until the job has succeeded. */
  readonly ms: number;
  readonly steps: number;
  /** Mean loss of each epoch. */
  readonly losses: readonly number[];
  readonly checkpoint: string;
}

/** Figures of the service. */
export interface ServiceFigures {
  /** Milliseconds from the start of a runner's process until its first step is told by the API. */
  readonly firstStepMs: number;
  /** A training with API and runner in processes of their own, and the most memory of the runner's, in MiB. */
  readonly apart: JobFigures;
  readonly runnerPeakMib: number | null;
  /** The same with both in one process, as `deno task start` has them. */
  readonly together: JobFigures;
  /** Milliseconds until one image is reconstructed, the model in the cache: median of 200 answers. */
  readonly reconstructJsonMs: number;
  readonly reconstructPngMs: number;
}

async function timeJob(client: Client, request: object): Promise<JobFigures> {
  const asked = performance.now();
  const { id } = await client.createJob(request);
  const job = await success(client, id);
  const ms = performance.now() - asked;
  const losses = (await client.series(id)).epochs.map(({ loss }) => loss);
  return { ms, steps: job.progress!.step, losses, checkpoint: job.latest_checkpoint! };
}

/** Data set of a service, and what is asked of it. */
async function prepared(client: Client, { mnist, batch, epochs }: ServiceSubject) {
  const dataset = mnist === null ? { id: "digits", size: DRAWN } : { id: await uploadMnist(client, mnist) };
  return { dataset, request: { kind: "pretrain", model: "mnist", dataset, batch_size: batch, epochs } };
}

/** Starts parts of the service in a folder of their own, and ends them. */
async function withService<T>(
  subject: ServiceSubject,
  use: (start: (command: "start" | "api" | "runner") => Promise<ServiceProcess>) => Promise<T>,
): Promise<T> {
  const folder = await Deno.makeTempDir(), processes: ServiceProcess[] = [];
  try {
    return await use(async (command) => {
      const process = await startProcess(command, folder, { UNMASK_THREADS: String(subject.threads) });
      processes.push(process);
      return process;
    });
  } finally {
    for (const process of processes.reverse()) await process.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the service as a user does, its parts apart and together, and uses it. */
export async function serviceFigures(subject: ServiceSubject): Promise<ServiceFigures> {
  const apart = await withService(subject, async (start) => {
    const { client } = await start("api");
    const { request } = await prepared(client, subject);
    const first = await client.createJob({ ...request, epochs: 1, max_steps: 1 });
    const started = performance.now();
    const runner = await start("runner");
    await firstStep(client, first.id);
    const firstStepMs = performance.now() - started;
    await success(client, first.id);
    return {
      firstStepMs,
      apart: await timeJob(client, request),
      runnerPeakMib: await peakMemory(runner.pid),
    };
  });
  const together = await withService(subject, async (start) => {
    const { client } = await start("start");
    const { dataset, request } = await prepared(client, subject);
    const together = await timeJob(client, request);
    const question = {
      checkpoint: together.checkpoint,
      dataset: { id: dataset.id, indices: [0] },
      seed: 1,
    };
    const ask = (accept: string) => () => client.post("/v1/reconstructions", question, accept);
    const reconstructJsonMs = median(await answers(ask("application/json"), 200));
    return { together, reconstructJsonMs, reconstructPngMs: median(await answers(ask("image/png"), 200)) };
  });
  return { ...apart, ...together };
}
