/**
 * What the errors of a data set mean to a request that names one.
 *
 * @module
 */
import { DatasetError, DatasetNotFoundError, DatasetUnavailableError } from "../data/datasets/dataset.ts";
import { ObjectNotFoundError } from "../data/objects/store.ts";
import { fieldProblem } from "./problem.ts";

/** Seconds after which a client may ask again for a data set that could not be downloaded. */
const RETRY_SECONDS = 30;

/**
 * The problem of a request whose data set is not there, is damaged or cannot be had at present; any other error is
 * given back as it is.
 *
 * @param path the request's field that names the data set
 */
export function datasetProblem(error: unknown, path: string): unknown {
  if (error instanceof DatasetNotFoundError || error instanceof DatasetError) {
    return fieldProblem(422, path, error.message);
  }
  if (error instanceof ObjectNotFoundError) {
    return fieldProblem(422, path, `is damaged: its file '${error.key}' is no longer stored`);
  }
  if (!(error instanceof DatasetUnavailableError)) return error;
  return fieldProblem(503, path, error.message, {
    headers: { "retry-after": String(RETRY_SECONDS) },
    cause: error,
  });
}
