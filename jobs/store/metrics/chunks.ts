/**
 * The loss of every step and the averages of every epoch, kept as a series of bounded rows.
 *
 * Steps lie in chunks of 512 (about 12 KiB), found by the number of the step alone, so that writing the same steps
 * twice changes nothing and a resumed job can cut off what its interrupted run did past the checkpoint.
 *
 * @module
 */
import { keys } from "../rows/keys.ts";

/** A step of a job. */
export interface StepPoint {
  /** Counts from 1. */
  readonly step: number;
  /** Counts from 0. */
  readonly epoch: number;
  readonly loss: number;
  /** Learning rate of this step. */
  readonly lr: number;
}

/** An epoch of a job. */
export interface EpochPoint {
  /** Counts from 0. */
  readonly epoch: number;
  /** The epoch's last step. */
  readonly step: number;
  /** Mean of the epoch's step losses. */
  readonly loss: number;
  /** Whatever else was measured, e.g. `accuracy`. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Sizes of the series' rows and answers. */
export const METRICS_LIMITS = {
  /** Steps in a row of the database. */
  chunk: 512,
  /** Steps of one commit. */
  commit: 2048,
  /** Steps of an answer. */
  page: 10_000,
  /** Most rows read for one answer: half a million steps, 12 MiB. */
  chunksRead: 1024,
  /** Values beside the loss that an epoch may carry. */
  epochMetrics: 64,
  /** Characters of the name of such a value. */
  metricName: 64,
} as const;

/** Steps of a row, in columns of equal length. */
export interface StepChunk {
  readonly steps: Uint32Array;
  readonly epochs: Uint32Array;
  readonly losses: Float64Array;
  readonly rates: Float64Array;
}

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
 * Prepares steps for a commit: what was there from the first of them on is replaced.
 *
 * @param points in increasing order of step, at most 2048
 */
export async function stepRows(
  kv: Deno.Kv,
  jobId: string,
  points: readonly StepPoint[],
): Promise<(operation: Deno.AtomicOperation) => void> {
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
 * What has to go so that a series ends at `step`, in pieces of at most 500 changes.
 *
 * @param step 0 for the whole series
 */
export async function truncation(
  kv: Deno.Kv,
  jobId: string,
  step: number,
): Promise<((operation: Deno.AtomicOperation) => void)[]> {
  const changes: ((operation: Deno.AtomicOperation) => void)[] = [];
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
  const pieces: ((operation: Deno.AtomicOperation) => void)[] = [];
  for (let i = 0; i < changes.length; i += 500) {
    const piece = changes.slice(i, i + 500);
    pieces.push((operation) => piece.forEach((change) => change(operation)));
  }
  return pieces;
}
