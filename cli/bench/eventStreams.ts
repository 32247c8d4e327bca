/**
 * Measures the cost of event streams: the CPU use of the API and the speed of a training job.
 *
 * @module
 */
import { pause } from "../../data/backoff.ts";
import type { Client } from "../client.ts";
import { type ServiceProcess, startProcess } from "../process.ts";
import { cpuSeconds } from "./cpuTime.ts";

/** Options of the measurement. */
export interface StreamSubject {
  /** Number of event streams of one job. */
  readonly listeners: number;
  /** Duration of each measurement, in seconds. */
  readonly seconds: number;
  /** Threads of the training job. */
  readonly threads: number;
}

/** CPU use of the service as a share of one core, and the speed of its training job, without and with streams. */
export interface StreamFigures {
  readonly idleCpu: number;
  readonly cpuWithStreams: number;
  readonly imagesPerSecond: number;
  readonly imagesPerSecondWithStreams: number;
}

async function cpuShare({ pid }: ServiceProcess, seconds: number): Promise<number> {
  const before = await cpuSeconds(pid);
  await pause(seconds * 1e3);
  return (await cpuSeconds(pid) - before) / seconds;
}

/** Opens event streams and reads them. It resolves when all of them have started. */
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

/** Returns the images per second of a training job, measured over `seconds`. */
async function trainingSpeed(client: Client, id: string, batch: number, seconds: number): Promise<number> {
  const progressNow = async () => {
    const { progress } = await (await client.send(`/v1/jobs/${id}`)).json();
    return { step: progress?.step ?? 0, time: performance.now() };
  };
  let first = await progressNow();
  while (first.step === 0) {
    await pause(100);
    first = await progressNow();
  }
  await pause(seconds * 1e3);
  const last = await progressNow();
  return (last.step - first.step) * batch / ((last.time - first.time) / 1e3);
}

/** Measures the cost of event streams of one job: a queued job, and a job that trains in the same process. */
export async function streamFigures(subject: StreamSubject): Promise<StreamFigures> {
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
  const queued = await measured("api", async (service, _, join) => {
    const idleCpu = await cpuShare(service, seconds);
    await join();
    return { idleCpu, cpuWithStreams: await cpuShare(service, seconds) };
  });
  const training = await measured("start", async ({ client }, id, join) => {
    await trainingSpeed(client, id, batch, 3);
    const imagesPerSecond = await trainingSpeed(client, id, batch, seconds);
    await join();
    return {
      imagesPerSecond,
      imagesPerSecondWithStreams: await trainingSpeed(client, id, batch, seconds),
    };
  });
  return { ...queued, ...training };
}
