/**
 * The data set of a run: opening it, and loading a split.
 *
 * @module
 */
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import {
  type Dataset,
  DatasetError,
  type DatasetInfo,
  DatasetNotFoundError,
  DatasetUnavailableError,
  type ImageSet,
  type SplitName,
} from "../../../data/datasets/dataset.ts";
import { inputShapeOf } from "../../../data/images/imageShape.ts";
import type { MaeConfig } from "../../../model/config.ts";
import { jittered, pause } from "../../../data/backoff.ts";
import { JobFailure } from "../../failure.ts";
import type { KindContext, KindEvent } from "../kind.ts";

/** Pause before the second attempt, doubled before each later one up to the maximum, in milliseconds. */
const FIRST_PAUSE_MS = 1_000, MAX_PAUSE_MS = 60_000;
/** Longest time for which a run retries a download before the job is queued again, in milliseconds. */
const MAX_RETRY_MS = 600_000;

/**
 * Opens the data set of a request. While no mirror can be reached, the download is retried with backoff, and one
 * warning reports this.
 *
 * @throws {JobFailure} `dataset_unusable`
 * @throws {DatasetUnavailableError} when no mirror could be reached within the time limit
 */
export async function* openDataset(context: KindContext): AsyncGenerator<KindEvent, Dataset> {
  const { store, request, settings, signal } = context;
  const catalogue = new DatasetCatalogue(store, settings.datasets), since = performance.now();
  for (let pauseMs = FIRST_PAUSE_MS;; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
    try {
      return await datasetFailure(() => catalogue.open(request.dataset, signal));
    } catch (error) {
      const waitedMs = performance.now() - since;
      if (!(error instanceof DatasetUnavailableError) || waitedMs + pauseMs > MAX_RETRY_MS) throw error;
      if (pauseMs === FIRST_PAUSE_MS) {
        yield { type: "log", level: "warning", message: `${error.message}. The download is tried again` };
      }
      await pause(jittered(pauseMs), signal);
      signal.throwIfAborted();
    }
  }
}

/** Loads a split, with the images resized for the model. @throws {JobFailure} `dataset_unusable` */
export async function loadSplit(
  { signal }: Pick<KindContext, "signal">,
  dataset: Dataset,
  split: SplitName,
  config: MaeConfig,
): Promise<ImageSet> {
  return await datasetFailure(() => dataset.load(split, inputShapeOf(config), signal));
}

/** Checks that a data set has labels. @throws {JobFailure} `dataset_unlabelled` */
export function requireLabels({ id, labelled }: DatasetInfo): void {
  if (!labelled) throw new JobFailure("dataset_unlabelled", `The data set ${id} has no labels`);
}

/** Calls `read` and turns an error of the data set into a failure of the job. */
async function datasetFailure<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof DatasetError || error instanceof DatasetNotFoundError)) throw error;
    throw new JobFailure("dataset_unusable", error.message, { cause: error });
  }
}
