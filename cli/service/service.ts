/**
 * Starts the service: the API, a runner, or both in one process.
 *
 * @module
 */
import { type ObjectStoreSettings, openStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { chooseVectors } from "../../jobs/process/vectors.ts";
import { Runner } from "../../jobs/runner/runner.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { awaitDatabase, oneLine } from "./database.ts";
import { type Settings, SettingsError } from "../settings/settings.ts";
import { runSteps, type StopStep } from "./stopping.ts";
import { startUpgrade } from "./upgrade.ts";

/** Which parts run in this process. */
export interface Parts {
  readonly api: boolean;
  readonly runner: boolean;
}

/** A running service. */
export interface Service {
  /** Address of the API, such as `http://127.0.0.1:8000`, or null without an API. */
  readonly url: string | null;
  /**
   * Refuses connections and new jobs, hands running jobs back to the queue, ends event streams and waiting requests,
   * and answers open requests, in this order.
   *
   * @returns false when a step failed or not all steps finished within `settings.stopMs`; the process should then exit
   */
  stop(): Promise<boolean>;
}

/**
 * Starts the parts of the service.
 *
 * @param log receives messages about jobs and failures; by default they are written to standard error
 * @param signal cancels a start that waits for the database
 * @throws {SettingsError} for an address, a file or a folder that cannot be used
 */
export async function startService(
  settings: Settings,
  parts: Parts,
  log: (message: string, error?: unknown) => void = defaultLog,
  signal?: AbortSignal,
): Promise<Service> {
  const store = openObjectStore(settings.storage);
  if (store.url.startsWith("file:")) await checkFolder("UNMASK_STORE", store.url.slice("file:".length));
  // Uploads are received into this folder.
  if (parts.api) await checkFolder("UNMASK_DATA", settings.dataDir);
  await checkVectors(settings);
  const kv = await awaitDatabase(settings, { signal, log });
  const steps: StopStep[] = [];
  const stop = async () => {
    const isComplete = await runSteps(steps.splice(0), settings.stopMs, log);
    // A step that is still running may need the database, so it stays open unless all steps finished.
    if (isComplete) kv.close();
    return isComplete;
  };
  try {
    const jobs = new JobStore(kv);
    steps.push({ name: "ending the upgrade", share: 1, run: startUpgrade(jobs, log) });
    let url: string | null = null;
    if (parts.api) {
      const { startApi } = await import("./apiServer.ts");
      const server = await startApi(settings, jobs, store);
      steps.unshift(
        { name: "refusing connections", share: 1, run: () => server.refuse() },
        { name: "answering requests", share: 0.8, run: (withinMs) => server.close(withinMs) },
      );
      url = server.url;
    }
    if (parts.runner) {
      const runner = new Runner({
        jobs,
        storage: settings.storage,
        settings: {
          compute: settings.compute,
          datasets: settings.datasets,
          maxFeatureBytes: settings.maxFeatureBytes,
        },
        slots: settings.slots,
        outage: { waitMs: settings.outageWaitMs, limitMs: settings.outageLimitMs },
        log,
      });
      runner.start();
      // Jobs are handed back before the event streams end, so that the streams report it.
      steps.splice(parts.api ? 1 : 0, 0, {
        name: "handing jobs back",
        share: 0.75,
        run: () => runner.stop(),
      });
    }
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Checks that this machine can compute with the vectors that the setting requires. @throws {SettingsError} */
async function checkVectors({ compute: { vectors, vectorsFile } }: Settings): Promise<void> {
  if (vectors !== "256") return;
  try {
    await chooseVectors(vectors, vectorsFile ?? null);
  } catch (error) {
    throw new SettingsError(`UNMASK_VECTORS cannot be 256: ${(error as Error).message}`, { cause: error });
  }
}

function defaultLog(message: string, error?: unknown): void {
  console.error(...[message, ...(error === undefined ? [] : [error])]);
}

/** @throws {SettingsError} */
function openObjectStore(storage: ObjectStoreSettings): ObjectStore {
  try {
    // The folder is created at start. If it is missing later, its disk is not mounted.
    return openStore(storage, { mustExist: true });
  } catch (error) {
    throw new SettingsError(`UNMASK_STORE cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

/** Checks that a folder is writable. @throws {SettingsError} for a folder that cannot be created or written */
async function checkFolder(variable: string, folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
    await Deno.remove(await Deno.makeTempDir({ dir: folder, prefix: ".probe-" }));
  } catch (error) {
    throw new SettingsError(`${variable} cannot be written: ${oneLine(error)}`, { cause: error });
  }
}
