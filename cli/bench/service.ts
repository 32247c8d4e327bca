/**
 * What a user waits for: a whole job over HTTP, the start of a runner, one picture reconstructed.
 *
 * @module
 */
import { join } from "node:path";
import type { Client, JobView } from "../client.ts";
import { type ServiceProcess, startProcess } from "../process.ts";
import { median } from "./engine.ts";
import { peakMemory } from "./memory.ts";

/** What is asked of the service. */
export interface ServiceSubject {
  /** Folder with MNIST's four files; pictures are drawn where it is null. */
  readonly mnist: string | null;
  readonly batch: number;
  readonly threads: number;
  readonly epochs: number;
}

/** Pictures drawn where there is no MNIST. */
const DRAWN = 60_000;

/** MNIST's files as the API takes them. */
const FILES = {
  train_images: "train-images-idx3-ubyte.gz",
  train_labels: "train-labels-idx1-ubyte.gz",
  test_images: "t10k-images-idx3-ubyte.gz",
  test_labels: "t10k-labels-idx1-ubyte.gz",
};

async function upload(client: Client, folder: string): Promise<string> {
  const form = new FormData();
  for (const [field, file] of Object.entries(FILES)) {
    form.set(field, new Blob([await Deno.readFile(join(folder, file))]), file);
  }
  return (await (await client.send("/v1/datasets", { method: "POST", body: form })).json()).id;
}

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

/** Figures of the service; milliseconds, and MiB of the runner's process. */
export interface ServiceFigures {
  /** From the start of a runner's process until its first step is told by the API. */
  readonly firstStepMs: number;
  /** From the request until the job has succeeded. */
  readonly jobMs: number;
  readonly steps: number;
  /** Mean loss of each epoch. */
  readonly losses: readonly number[];
  readonly runnerPeakMib: number | null;
  /** One picture, the model in the cache: median of 200 answers. */
  readonly reconstructJsonMs: number;
  readonly reconstructPngMs: number;
}

/** Runs an API and a runner as processes of their own, and uses them. */
export async function serviceFigures(subject: ServiceSubject): Promise<ServiceFigures> {
  const folder = await Deno.makeTempDir();
  const env = { UNMASK_THREADS: String(subject.threads) };
  const api = await startProcess("api", folder, env);
  const processes: ServiceProcess[] = [api];
  try {
    const { client } = api;
    const dataset = subject.mnist === null
      ? { id: "digits", size: DRAWN }
      : { id: await upload(client, subject.mnist) };
    const request = { kind: "pretrain", model: "mnist", dataset, batch_size: subject.batch };
    const first = await client.createJob({ ...request, epochs: 1, max_steps: 1 });
    const started = performance.now();
    const runner = await startProcess("runner", folder, env);
    processes.push(runner);
    await firstStep(client, first.id);
    const firstStepMs = performance.now() - started;
    await success(client, first.id);

    const asked = performance.now();
    const { id } = await client.createJob({ ...request, epochs: subject.epochs });
    const job = await success(client, id);
    const jobMs = performance.now() - asked;
    const series = await (await client.send(`/v1/jobs/${id}/metrics?every=1000000`)).json();
    const question = {
      checkpoint: job.latest_checkpoint,
      dataset: { id: dataset.id, indices: [0] },
      seed: 1,
    };
    const ask = (accept: string) => () => client.post("/v1/reconstructions", question, accept);
    return {
      firstStepMs,
      jobMs,
      steps: job.progress!.step,
      losses: series.epochs.map(({ loss }: { loss: number }) => loss),
      runnerPeakMib: await peakMemory(runner.pid),
      reconstructJsonMs: median(await answers(ask("application/json"), 200)),
      reconstructPngMs: median(await answers(ask("image/png"), 200)),
    };
  } finally {
    for (const process of processes.reverse()) await process.end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  }
}
