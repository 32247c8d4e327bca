/**
 * Removes what killed processes left behind, at start and at intervals.
 *
 * @module
 */
import type { UploadFolder } from "../../api/body/uploadFolder.ts";
import type { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { StorageUnavailableError } from "../../data/objects/store.ts";
import { jittered, pause } from "../../data/backoff.ts";
import { DatabaseUnavailableError } from "../../jobs/store/kv/errors.ts";
import { sweepOrphans } from "../../jobs/store/deletion/orphans.ts";
import type { JobStore } from "../../jobs/store/store.ts";
import { sweepJobs } from "../../jobs/store/deletion/sweep.ts";

/** The stores that the sweeper cleans up. */
export interface SweptStores {
  readonly jobs: JobStore;
  readonly datasets: DatasetCatalogue;
  readonly uploads: UploadFolder;
}

/** Every thirtieth round lists all objects. The other rounds only read database rows. */
const ROUNDS_PER_LISTING = 30;

/**
 * Starts the sweeper. A sweep that fails is retried in the next round. Repeated failures are logged once.
 *
 * @param intervalMs time between two rounds
 * @returns a function that stops the sweeper and resolves when its current sweep has ended
 */
export function startSweeper(
  stores: SweptStores,
  intervalMs: number,
  log: (message: string, error?: unknown) => void,
): () => Promise<void> {
  const stopping = new AbortController();
  const work = (async () => {
    const failing = new Set<string>();
    for (let round = 0; !stopping.signal.aborted; round++) {
      for (const [description, sweep] of sweepsOf(stores, round % ROUNDS_PER_LISTING === 0)) {
        if (stopping.signal.aborted) return;
        try {
          await sweep();
          failing.delete(description);
        } catch (error) {
          // An outage is logged where it is detected.
          const isOutage = error instanceof StorageUnavailableError ||
            error instanceof DatabaseUnavailableError;
          if (!isOutage && !failing.has(description)) {
            log(`${description} could not be removed; the next sweep tries again`, error);
          }
          failing.add(description);
        }
      }
      await pause(jittered(intervalMs), stopping.signal);
    }
  })();
  return async () => {
    stopping.abort();
    await work;
  };
}

function sweepsOf(
  { jobs, datasets, uploads }: SweptStores,
  isListing: boolean,
): [description: string, sweep: () => Promise<unknown>][] {
  const objects = datasets.store;
  return [
    ["Uploads of ended processes", () => uploads.sweep()],
    ["Objects of unfinished puts", async () => await objects.sweep?.()],
    ["Deleted jobs", () => sweepJobs(jobs, objects)],
    ["Abandoned data sets", () => datasets.sweep()],
    ...isListing
      ? [["Abandoned objects", () => sweepOrphans(jobs, objects)] as [string, () => Promise<unknown>]]
      : [],
  ];
}
