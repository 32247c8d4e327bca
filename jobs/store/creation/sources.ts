/**
 * Sources of jobs: resolves a source job to its latest checkpoint.
 *
 * @module
 */
import type { Checkpoint } from "../../job.ts";
import type { ModelName } from "../../../model/weights.ts";
import type { JobRequest } from "../../requests/commonFields.ts";
import { MODEL_NAMES } from "../../requests/modelNames.ts";
import { isFinished } from "../../transitions.ts";
import type { JobsDatabase } from "../change.ts";
import { getCheckpoint } from "../checkpoints/read.ts";
import { getJob } from "../rows/read.ts";

/** A source that cannot be used. `field` is the field of the request, and `code` is the reason. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  constructor(
    readonly code: "job_not_found" | "checkpoint_not_found" | "no_checkpoint" | "wrong_model",
    readonly field: "job" | "checkpoint",
    message: string,
  ) {
    super(message);
  }
}

/**
 * Replaces `job` by `checkpoint`, and checks that the checkpoint exists and has a model that the kind starts from. A
 * request without a source is returned unchanged, and its source is null.
 *
 * @param accepts the models that the kind of job starts from
 * @throws {SourceError}
 */
export async function resolveSource(
  database: Pick<JobsDatabase, "kv">,
  request: JobRequest,
  accepts: readonly ModelName[],
): Promise<{ request: JobRequest; source: Checkpoint | null }> {
  const { job, ...rest } = request;
  if (job === undefined && rest.checkpoint === undefined) return { request, source: null };
  const source = await findSource(database, { job, checkpoint: rest.checkpoint });
  if (!accepts.includes(source.model)) {
    throw new SourceError(
      "wrong_model",
      job === undefined ? "checkpoint" : "job",
      `must be a checkpoint of ${accepts.map((model) => MODEL_NAMES[model]).join(", or of ")}: ` +
        `'${source.id}' is of ${MODEL_NAMES[source.model]}`,
    );
  }
  return { request: { ...rest, checkpoint: source.id }, source };
}

/**
 * Finds the latest checkpoint of a job, or a checkpoint by its id.
 *
 * @param source one of the two ids
 * @throws {SourceError}
 */
export async function findSource(
  { kv }: Pick<JobsDatabase, "kv">,
  source: { readonly job?: string; readonly checkpoint?: string },
): Promise<Checkpoint> {
  const field = source.job === undefined ? "checkpoint" : "job";
  const id = source.job === undefined ? source.checkpoint! : await latestCheckpoint(kv, source.job);
  const checkpoint = await getCheckpoint(kv, id);
  if (checkpoint !== null) return checkpoint;
  throw new SourceError("checkpoint_not_found", field, `There is no checkpoint '${id.slice(0, 80)}'`);
}

async function latestCheckpoint(kv: Deno.Kv, jobId: string): Promise<string> {
  const job = await getJob(kv, jobId);
  if (job === null) throw new SourceError("job_not_found", "job", `There is no job '${jobId.slice(0, 80)}'`);
  const { latestCheckpoint, status } = job;
  if (latestCheckpoint !== null) return latestCheckpoint;
  const reason = isFinished(status)
    ? `${status === "cancelled" ? "was cancelled" : `has ${status}`} without a checkpoint: choose another job`
    : `is ${status} and has no checkpoint yet: wait for its first one`;
  throw new SourceError("no_checkpoint", "job", `Job '${jobId}' ${reason}`);
}
