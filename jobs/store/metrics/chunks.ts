/**
 * The loss series of a job: the loss of each step and the means of each epoch, in rows of limited size.
 *
 * A row holds a chunk of 512 steps (about 12 KiB). The number of a step determines its chunk. Writing the same steps
 * twice therefore changes nothing, and a resumed run can remove the steps after its checkpoint.
 *
 * @module
 */
import type { EpochPoint, StepPoint } from "../../job.ts";
import { type CommitPart, keys } from "../rows/keys.ts";

/** Limits of the rows of a series, and of answers. */
export const METRICS_LIMITS = {
  /** Number of steps in a row of the database. */
  chunk: 512,
  /** Maximum number of steps in a commit. */
  commit: 2048,
  /** Maximum number of steps in an answer. */
  page: 10_000,
  /** Maximum number of rows that are read for an answer: half a million steps, 12 MiB. */
  chunksRead: 1024,
  /** Maximum number of metrics of an epoch, without the loss. */
  epochMetrics: 64,
  /** Maximum number of characters in the name of a metric. */
  metricName: 64,
} as const;

/** The steps of a row, in columns of equal length. */
export interface StepChunk {
  readonly steps: Uint32Array;
  readonly epochs: Uint32Array;
  readonly losses: Float64Array;
  readonly rates: Float64Array;
}

/** Maximum number of changes in a commit. */
const CHANGES_PER_COMMIT = 500;

const chunkOf = (step: number) => Math.floor((step - 1) / METRICS_LIMITS.chunk);

function pack(points: readonly StepPoint[]): StepChunk {
  return {
    steps: Uint32Array.from(points, (point) => point.step),
    epochs: Uint32Array.from(points, (point) => point.epoch),
    losses: Float64Array.from(points, (point) => point.loss),
    rates: Float64Array.from(points, (point) => point.lr),
  };
}

function unpack(chunk: StepChunk): StepPoint[] {
  return Array.from(chunk.steps, (step, i) => ({
    step,
    epoch: chunk.epochs[i],
    loss: chunk.losses[i],
    lr: chunk.rates[i],
  }));
}

/**
 * Prepares steps for a commit. Within their chunks they replace all stored steps from the first of them on.
 *
 * @param points in increasing order of step, at most 2048
 */
export async function stepRows(
  kv: Deno.Kv,
  jobId: string,
  points: readonly StepPoint[],
): Promise<CommitPart> {
  const groups = Map.groupBy(points, (point) => chunkOf(point.step));
  const rows: [Deno.KvKey, StepChunk][] = [];
  for (const [chunk, added] of groups) {
    const key = keys.steps(jobId, chunk);
    const { value } = await kv.get<StepChunk>(key);
    const before = value === null ? [] : unpack(value).filter((point) => point.step < added[0].step);
    rows.push([key, pack([...before, ...added])]);
  }
  return (operation) => {
    for (const [key, row] of rows) operation.set(key, row);
  };
}

/**
 * Prepares the removal of the part of a series after `step`, for one or more commits.
 *
 * @param step 0 to remove the whole series
 */
export async function truncation(
  kv: Deno.Kv,
  jobId: string,
  step: number,
): Promise<CommitPart[]> {
  const changes: CommitPart[] = [];
  const first = Math.floor(step / METRICS_LIMITS.chunk);
  const chunks = kv.list<StepChunk>({
    start: keys.steps(jobId, first),
    end: keys.steps(jobId, Number.MAX_SAFE_INTEGER),
  });
  for await (const { key, value } of chunks) {
    const kept = unpack(value).filter((point) => point.step <= step);
    if (kept.length === value.steps.length) continue;
    changes.push((operation) => kept.length > 0 ? operation.set(key, pack(kept)) : operation.delete(key));
  }
  for await (const { key, value } of kv.list<EpochPoint>({ prefix: ["epoch", jobId] }, { reverse: true })) {
    if (value.step <= step) break;
    changes.push((operation) => operation.delete(key));
  }
  const parts: CommitPart[] = [];
  for (let i = 0; i < changes.length; i += CHANGES_PER_COMMIT) {
    const part = changes.slice(i, i + CHANGES_PER_COMMIT);
    parts.push((operation) => part.forEach((change) => change(operation)));
  }
  return parts;
}
