/**
 * The API on its port. A module of its own: a runner alone has no use for what it loads.
 *
 * @module
 */
import { createApp } from "../api/app.ts";
import { WorkerInference } from "../api/inference/client.ts";
import { DatasetCatalogue } from "../data/datasets/catalogue.ts";
import type { ObjectStore } from "../data/objects/store.ts";
import { sweepCheckpoints } from "../jobs/orphans.ts";
import type { JobStore } from "../jobs/store.ts";
import { tensorflowSettings } from "../jobs/tensorflow.ts";
import type { Settings } from "./settings.ts";

/** Time that requests in progress are given at the end, in milliseconds. */
const DRAIN_MS = 3_000;

/** An API that listens. */
export interface ApiServer {
  /** As `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Answers what has been asked, then stops. */
  close(): Promise<void>;
}

/** Starts the API. @throws {Deno.errors.AddrInUse} when the port is taken */
export function startApi(settings: Settings, jobs: JobStore, store: ObjectStore): ApiServer {
  const inference = new WorkerInference(settings.storeUrl, {
    backend: settings.backend,
    tensorflow: tensorflowSettings(settings.threads ?? navigator.hardwareConcurrency),
    cacheBytes: settings.modelCacheBytes,
  });
  const datasets = new DatasetCatalogue(store);
  Promise.all([datasets.sweep(), sweepCheckpoints(jobs, store)])
    .catch((error) => console.error("Abandoned objects could not be removed:", error));
  const app = createApp({ jobs, objects: store, datasets, inference });
  try {
    const { url, close } = serve(settings, app.fetch);
    return {
      url,
      async close() {
        await close();
        inference.close();
      },
    };
  } catch (error) {
    inference.close();
    throw error;
  }
}

function serve(
  { port, host }: Settings,
  handler: (request: Request) => Response | Promise<Response>,
): { url: string; close: () => Promise<void> } {
  const cut = new AbortController();
  const server = Deno.serve({ port, hostname: host, signal: cut.signal, onListen: () => {} }, handler);
  const { hostname, port: bound } = server.addr as Deno.NetAddr;
  return {
    url: `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${bound}`,
    async close() {
      // Event streams stay open for hours: what is not answered in time is cut.
      const timer = setTimeout(() => cut.abort(), DRAIN_MS);
      await server.shutdown();
      await server.finished;
      clearTimeout(timer);
    },
  };
}
