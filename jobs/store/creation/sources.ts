/**
 * What a job starts from: a request that names a job becomes one that names that job's latest checkpoint.
 *
 * @module
 */
import type { JobRequest } from "../../requests/schemas.ts";
import type { JobsDatabase } from "../change.ts";
import { getCheckpoint } from "../checkpoints/read.ts";
import { getJob } from "../rows/read.ts";
import { isFinished } from "../../transitions.ts";

/** A source that cannot be used. `field` is the request's field, `code` says why. */
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
 * Resolves `job` to `checkpoint`, and sees that the checkpoint is there and of the right model: fine-tuning and
 * probing start from an MAE, evaluation takes either. A request without a source is given back as it is.
 *
 * @throws {SourceError}
 */
export async function resolveSource(
  { kv }: Pick<JobsDatabase, "kv">,
  request: JobRequest,
): Promise<JobRequest> {
  if (request.kind === "pretrain") return request;
  const { job: jobId, ...rest } = request as Extract<
    JobRequest,
    { kind: "finetune" | "linear_probe" | "evaluate" }
  >;
  const field = jobId === undefined ? "checkpoint" : "job";
  const id = jobId === undefined ? rest.checkpoint : await latestCheckpoint(kv, jobId);
  if (id === undefined) return request;
  const checkpoint = await getCheckpoint(kv, id);
  if (checkpoint === null) {
    throw new SourceError("checkpoint_not_found", field, `There is no checkpoint '${id.slice(0, 80)}'`);
  }
  if (request.kind !== "evaluate" && checkpoint.model !== "mae") {
    throw new SourceError(
      "wrong_model",
      field,
      `must be a checkpoint of a masked autoencoder: '${id}' is of a ${checkpoint.model}`,
    );
  }
  return { ...rest, checkpoint: id } as JobRequest;
}

async function latestCheckpoint(kv: Deno.Kv, jobId: string): Promise<string> {
  const job = await getJob(kv, jobId);
  if (job === null) throw new SourceError("job_not_found", "job", `There is no job '${jobId.slice(0, 80)}'`);
  if (job.latestCheckpoint !== null) return job.latestCheckpoint;
  const state = isFinished(job.status) ? `it has ${job.status} without one` : `it is ${job.status}`;
  const verb = job.status === "cancelled" ? "it was cancelled before its first" : state;
  const advice = isFinished(job.status) ? "" : ": wait for its first";
  throw new SourceError("no_checkpoint", "job", `Job '${jobId}' has no checkpoint, ${verb}${advice}`);
}
