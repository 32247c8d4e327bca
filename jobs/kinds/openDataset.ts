/**
 * Opens the data set of a run. While a required download is not possible, the run waits.
 *
 * @module
 */
import { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { type Dataset, DatasetUnavailableError } from "../../data/datasets/dataset.ts";
import { jittered, pause } from "../backoff.ts";
import { KindContext, KindEvent } from "./kind.ts";
import { datasetFailure } from "./training.ts";

/** Pause before the second attempt, doubled before each later one up to the longest, in milliseconds. */
const FIRST_PAUSE_MS = 1_000, LONGEST_PAUSE_MS = 60_000;
/** How long a run waits for a download before it hands the job back, in milliseconds. */
const PATIENCE_MS = 600_000;

/**
 * Opens the data set of a request. While no mirror can be reached, the download is retried with backoff, and a warning
 * reports this.
 *
 * @throws {JobFailure} `dataset_unusable`
 * @throws {DatasetUnavailableError} when no mirror could be reached within the time limit
 */
export async function* openDataset(context: KindContext): AsyncGenerator<KindEvent, Dataset> {
  const { store, request, settings, signal } = context;
  const catalogue = new DatasetCatalogue(store, settings.datasets), since = performance.now();
  for (let wait = FIRST_PAUSE_MS;; wait = Math.min(2 * wait, LONGEST_PAUSE_MS)) {
    try {
      return await datasetFailure(() => catalogue.open(request.dataset, signal));
    } catch (error) {
      const waited = performance.now() - since;
      if (!(error instanceof DatasetUnavailableError) || waited + wait > PATIENCE_MS) throw error;
      if (wait === FIRST_PAUSE_MS) {
        yield { type: "log", level: "warning", message: `${error.message}. The download is tried again` };
      }
      await pause(jittered(wait), signal);
      signal.throwIfAborted();
    }
  }
}
