/**
 * Completes a database of an earlier version while the service runs on it.
 *
 * @module
 */
import { jittered, pause } from "../jobs/kv.ts";
import type { JobStore } from "../jobs/store.ts";

/** Pause after a failure, in milliseconds. */
const RETRY_MS = 5_000;

/**
 * Begins the upgrade, and tries again after a failure.
 *
 * @param log where jobs were concerned, or the upgrade failed
 * @returns a function that stops it and resolves once it no longer uses the database
 */
export function startUpgrade(
  jobs: JobStore,
  log: (message: string, error?: unknown) => void,
): () => Promise<void> {
  const stopping = new AbortController();
  const work = (async () => {
    let hasFailed = false;
    while (!stopping.signal.aborted) {
      try {
        const count = await jobs.upgrade(stopping.signal);
        if (count > 0) log(`Indexed ${count} jobs of an earlier version's database`);
        return;
      } catch (error) {
        if (!hasFailed) log("The database's indexes could not be completed: trying again", error);
        hasFailed = true;
        await pause(jittered(RETRY_MS), stopping.signal);
      }
    }
  })();
  return async () => {
    stopping.abort();
    await work;
  };
}
