/**
 * Converts errors of every room to problem details.
 *
 * @module
 */
import type { Context } from "hono";
import {
  DatasetDamagedError,
  DatasetError,
  DatasetNotFoundError,
  DatasetUnavailableError,
} from "../../data/datasets/dataset.ts";
import { ImageError } from "../../data/images/imageFile.ts";
import { ObjectNotFoundError, StorageUnavailableError } from "../../data/objects/store.ts";
import { JobFailure } from "../../jobs/failure.ts";
import {
  DatabaseUnavailableError,
  isLocked,
  KvContentionError,
  RowTooLargeError,
} from "../../jobs/store/kv/errors.ts";
import { SourceError } from "../../jobs/store/creation/sources.ts";
import {
  CheckpointInUseError,
  CheckpointNotFoundError,
  CheckpointOfJobError,
  IdempotencyConflictError,
  ImportExpiredError,
  InvalidTransitionError,
  JobNotFoundError,
  JobUnfinishedError,
} from "../../jobs/store/store.ts";
import type { ApiEnv } from "./context.ts";
import { unavailableDatasetProblem } from "./datasetProblem.ts";
import { fieldProblem, ProblemError, problemResponse } from "./problem.ts";

const CONFLICTS = [
  InvalidTransitionError,
  CheckpointInUseError,
  CheckpointOfJobError,
  ImportExpiredError,
  JobUnfinishedError,
];

/** Returns the problem for an error thrown by any room; 500 for an unexpected error. */
function problemOf(error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  if (error instanceof JobNotFoundError || error instanceof DatasetNotFoundError) {
    return new ProblemError(404, error.message);
  }
  if (error instanceof Error && CONFLICTS.some((conflict) => error instanceof conflict)) {
    return new ProblemError(409, error.message);
  }
  if (error instanceof CheckpointNotFoundError) return fieldProblem(422, "checkpoint", error.message);
  if (error instanceof IdempotencyConflictError) {
    return new ProblemError(422, "This Idempotency-Key was used for another request: choose a new one", {
      errors: [{ path: "idempotency-key", message: "was used for another request" }],
    });
  }
  if (error instanceof RowTooLargeError) return fieldProblem(413, "", "is too large to be stored as a job");
  if (error instanceof SourceError) {
    return fieldProblem(error.code === "no_checkpoint" ? 409 : 422, error.field, error.message);
  }
  if (error instanceof JobFailure && error.code === "checkpoint_unreadable") {
    return fieldProblem(409, "checkpoint", error.message);
  }
  if (error instanceof DatasetDamagedError) return new ProblemError(409, error.message);
  if (error instanceof DatasetError) {
    return error.field === undefined
      ? new ProblemError(422, error.message, { errors: [{ path: "", message: error.message }] })
      : fieldProblem(422, error.field, error.message);
  }
  if (error instanceof ImageError) return fieldProblem(422, "pictures", error.message);
  if (error instanceof ObjectNotFoundError) return new ProblemError(404, "The content is no longer stored");
  return outageProblem(error) ??
    new ProblemError(500, "An internal error occurred. The log has details under this request_id.", {
      cause: error,
    });
}

/** Returns the 503 problem for an outage of the database or of object storage; null for other errors. */
export function outageProblem(error: unknown): ProblemError | null {
  const unavailable = (detail: string, seconds: number) =>
    new ProblemError(503, detail, { headers: { "retry-after": String(seconds) }, cause: error });
  if (error instanceof KvContentionError) return unavailable(error.message, 1);
  if (error instanceof DatasetUnavailableError) return unavailableDatasetProblem(error, "dataset");
  // The messages of these errors contain internal addresses, so clients get a general one.
  if (error instanceof StorageUnavailableError) {
    return unavailable("Object storage is temporarily unavailable: try again", 5);
  }
  if (error instanceof DatabaseUnavailableError || isLocked(error)) {
    return unavailable("The database is temporarily unavailable: try again", 5);
  }
  return null;
}

/** Handles an error of a request, as Hono's `onError`. It keeps the cause of an unexpected error for the log. */
export function handleError(error: unknown, context: Context<ApiEnv>): Response {
  const problem = problemOf(error);
  // An outage is logged once where it is detected, not for every request. A request that was abandoned because its
  // client disconnected is not a failure either.
  const isExpected = problem.status === 503 &&
    (problem.cause === undefined || outageProblem(problem.cause) !== null);
  if (problem.status >= 500 && !isExpected && !context.req.raw.signal.aborted) {
    context.set("failure", problem.cause ?? problem);
  }
  return problemResponse(problem, context.req.path.slice(0, 200), context.get("requestId"));
}
