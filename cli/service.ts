/**
 * The parts of the service put together on real storage: the API, a runner, or both in one process.
 *
 * @module
 */
import { dirname } from "node:path";
import { openStore } from "../data/objects/open.ts";
import type { ObjectStore } from "../data/objects/store.ts";
import { openDatabase } from "../jobs/database.ts";
import { isRemoteKv } from "../jobs/kv.ts";
import { Runner } from "../jobs/runner.ts";
import { JobStore } from "../jobs/store.ts";
import { type Settings, SettingsError } from "./settings.ts";
import { startUpgrade } from "./upgrade.ts";

/** Which parts run in this process. */
export interface Parts {
  readonly api: boolean;
  readonly runner: boolean;
}

/** A service that runs. */
export interface Service {
  /** Where the API listens, as `http://127.0.0.1:8000`; null without one. */
  readonly url: string | null;
  /** Stops in order: no new work, requests answered, running jobs handed back to the queue. */
  stop(): Promise<void>;
}

/**
 * Starts the parts.
 *
 * @param log what the runner says of its jobs; to standard error when absent
 * @throws {SettingsError} for a store's address that cannot be used; Deno's errors for a port that is taken, a file
 * that cannot be opened
 */
export async function startService(
  settings: Settings,
  parts: Parts,
  log?: (message: string, error?: unknown) => void,
): Promise<Service> {
  const store = openedStore(settings.storeUrl);
  if (!isRemoteKv(settings.kv)) await Deno.mkdir(dirname(settings.kv), { recursive: true });
  const kv = await openDatabase(settings.kv);
  const closing: (() => Promise<void> | void)[] = [() => kv.close()];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const jobs = new JobStore(kv, { doorbell: parts.api && parts.runner && !isRemoteKv(settings.kv) });
    closing.push(startUpgrade(jobs, log ?? console.error));
    if (parts.runner) {
      const runner = new Runner({ jobs, storeUrl: settings.storeUrl, slots: settings.slots, log });
      runner.start();
      closing.push(() => runner.stop());
    }
    let url: string | null = null;
    if (parts.api) {
      const { startApi } = await import("./apiServer.ts");
      const server = startApi(settings, jobs, store);
      closing.push(() => server.close());
      url = server.url;
    }
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @throws {SettingsError} */
function openedStore(url: string): ObjectStore {
  try {
    return openStore(url);
  } catch (error) {
    throw new SettingsError(`UNMASK_STORE cannot be used: ${(error as Error).message}`, { cause: error });
  }
}
