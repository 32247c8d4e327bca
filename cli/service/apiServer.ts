/**
 * Starts the API on its port. The module is separate, so that a process with only a runner does not load the API.
 *
 * @module
 */
import { join } from "node:path";
import { createApp } from "../../api/app.ts";
import { openUploadFolder } from "../../api/body/uploadFolder.ts";
import { ProcessInference } from "../../api/inference/client.ts";
import { listen } from "../../api/server/listen.ts";
import { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { OutageLogStore } from "../../data/objects/outageLogStore.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { pause } from "../../data/backoff.ts";
import type { JobStore } from "../../jobs/store/store.ts";
import { oneLine } from "./database.ts";
import { type Settings, SettingsError } from "../settings/settings.ts";
import { startSweeper } from "./sweeper.ts";

/** A running API server. */
export interface ApiServer {
  /** Such as `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Stops accepting connections. */
  refuse(): void;
  /** Ends event streams and waiting requests, answers open requests, then stops. Longer requests are interrupted. */
  close(withinMs: number): Promise<void>;
}

/** Starts the API. @throws {SettingsError} when it cannot listen on the address */
export async function startApi(settings: Settings, jobs: JobStore, objects: ObjectStore): Promise<ApiServer> {
  const store = new OutageLogStore(objects, (message) => console.error(message));
  const inference = new ProcessInference(settings.storage, {
    compute: settings.compute,
    cacheBytes: settings.modelCacheBytes,
  });
  const datasets = new DatasetCatalogue(store, settings.datasets);
  const uploads = openUploadFolder(join(settings.dataDir, "uploads"));
  const stopping = new AbortController();
  const app = createApp({
    jobs,
    objects: store,
    datasets,
    inference,
    hosts: settings.hosts,
    stopping: stopping.signal,
    tempDir: uploads.path,
    remote: { hosts: settings.fetchHosts ?? [] },
    limits: {
      checkpointBytes: settings.maxCheckpointBytes,
      trainingBytes: settings.maxTrainingBytes,
      weightsBytes: settings.maxWeightsBytes,
    },
  });
  try {
    const { port, host } = settings;
    const server = await listen((request) => app.fetch(request), { port, host });
    void inference.warm();
    const stopSweeper = startSweeper({ jobs, datasets, uploads }, settings.sweepMs, console.error);
    return {
      url: server.url,
      refuse: () => server.refuse(),
      async close(withinMs) {
        stopping.abort();
        const swept = stopSweeper();
        try {
          await server.close(withinMs);
        } finally {
          await inference.close();
          const timeout = new AbortController();
          await Promise.race([swept, pause(withinMs, timeout.signal)]);
          timeout.abort();
          await uploads.close();
        }
      },
    };
  } catch (error) {
    await inference.close();
    await uploads.close();
    throw unusableAddress(settings, error);
  }
}

function unusableAddress({ port, host }: Settings, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "EADDRINUSE") {
    return new SettingsError(`Port ${port} is in use: choose another with UNMASK_PORT`);
  }
  if (code === "EACCES") {
    return new SettingsError(
      `Port ${port} needs more privileges than this user has: choose another with UNMASK_PORT`,
    );
  }
  return new SettingsError(`The API cannot listen on '${host}' (UNMASK_HOST): ${oneLine(error)}`);
}
