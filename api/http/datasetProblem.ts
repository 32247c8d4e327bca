/**
 * Converts errors of a data set to problems of the request field that names it.
 *
 * @module
 */
import { DatasetError, DatasetNotFoundError, DatasetUnavailableError } from "../../data/datasets/dataset.ts";
import { ObjectNotFoundError } from "../../data/objects/store.ts";
import { fieldProblem, type ProblemError } from "./problem.ts";

/** Seconds after which a client may retry when a data set could not be downloaded. */
const RETRY_SECONDS = 30;

/**
 * Returns the problem for a data set that does not exist, is damaged or is temporarily unavailable. Any other error is
 * returned unchanged.
 *
 * @param path of the field that names the data set
 */
export function datasetProblem(error: unknown, path: string): unknown {
  if (error instanceof DatasetNotFoundError || error instanceof DatasetError) {
    return fieldProblem(422, path, error.message);
  }
  if (error instanceof ObjectNotFoundError) {
    return fieldProblem(422, path, `is damaged: its file '${error.key}' is no longer stored`);
  }
  return error instanceof DatasetUnavailableError ? unavailableDatasetProblem(error, path) : error;
}

/** Returns the 503 problem for a built-in data set that could not be downloaded. @param path of the field that names it */
export function unavailableDatasetProblem(error: DatasetUnavailableError, path: string): ProblemError {
  return fieldProblem(503, path, error.message, {
    headers: { "retry-after": String(RETRY_SECONDS) },
    cause: error,
  });
}
