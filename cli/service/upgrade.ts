/**
 * Upgrades a database of an earlier version while the service runs.
 *
 * @module
 */
import { jittered, pause } from "../../data/backoff.ts";
import type { JobStore } from "../../jobs/store/store.ts";

/** Pause after a failure, in milliseconds. */
const RETRY_MS = 5_000;

/**
 * Starts the upgrade, and retries after a failure.
 *
 * @param log receives the number of upgraded jobs and the first failure
 * @returns a function that stops the upgrade and resolves when it no longer uses the database
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
