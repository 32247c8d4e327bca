/**
 * Reads a job's loss series in parts.
 *
 * An answer covers a range of steps, which begins after the cursor. It contains the requested steps of the range, and
 * the epochs that ended in it. Only the rows of the range are read: steps have the numbers of their epochs, which are
 * the keys of the epoch rows.
 *
 * @module
 */
import { withRetry } from "../kv/retry.ts";
import { keys } from "../rows/keys.ts";
import type { EpochPoint, StepPoint } from "../../job.ts";
import { METRICS_LIMITS, type StepChunk } from "./chunks.ts";

/** A part of a job's series. */
export interface JobMetrics {
  /** In order of steps. */
  readonly steps: readonly StepPoint[];
  /** Epochs that ended in the part. If several ended within the same `every` steps, only the last. */
  readonly epochs: readonly EpochPoint[];
  /** Cursor of the next part; null at the end. */
  readonly next: number | null;
}

/** The part of a series to read. */
export interface MetricsQuery {
  /** Cursor: only steps above this number. @default 0 */
  readonly after?: number;
  /** Maximum number of steps, and of epochs, in an answer, 1 to 10,000. @default 1000 */
  readonly limit?: number;
  /** Only multiples of this step, and the newest step; at most one epoch in each such interval. @default 1 */
  readonly every?: number;
}

/**
 * Reads a part of a job's series; the series of an unknown job is empty.
 *
 * @throws {RangeError} for a query outside the limits
 */
export function readMetrics(kv: Deno.Kv, jobId: string, query: MetricsQuery = {}): Promise<JobMetrics> {
  const { after = 0, limit = 1000, every = 1 } = query;
  checkInteger("after", after, 0, Number.MAX_SAFE_INTEGER);
  checkInteger("limit", limit, 1, METRICS_LIMITS.page);
  checkInteger("every", every, 1, Number.MAX_SAFE_INTEGER);
  return withRetry(async () => {
    const { steps, first, last, next } = await readSteps(kv, jobId, { after, limit, every });
    if (first === null || last === null) return { steps, epochs: [], next };
    return { steps, epochs: await readEpochs(kv, jobId, first, last, every), next };
  });
}

/** Reads the steps of a part. `first` and `last` are the ends of its range, even if `steps` does not contain them. */
async function readSteps(
  kv: Deno.Kv,
  jobId: string,
  { after, limit, every }: Required<MetricsQuery>,
): Promise<{ steps: StepPoint[]; first: StepPoint | null; last: StepPoint | null; next: number | null }> {
  const steps: StepPoint[] = [];
  let first: StepPoint | null = null, last: StepPoint | null = null;
  let chunks = 0;
  // Fetches only the rows that the answer needs. One more step shows whether there is another part.
  const chunk = Math.floor(after / METRICS_LIMITS.chunk);
  const batchSize = Math.min(100, Math.floor((after + limit * every) / METRICS_LIMITS.chunk) - chunk + 1);
  const rows = kv.list<StepChunk>({
    start: keys.steps(jobId, chunk),
    end: keys.steps(jobId, Number.MAX_SAFE_INTEGER),
  }, { batchSize });
  for await (const { value: row } of rows) {
    if (chunks++ === METRICS_LIMITS.chunksRead) return { steps, first, last, next: last!.step };
    for (let i = 0; i < row.steps.length; i++) {
      const step = row.steps[i];
      if (step <= after) continue;
      if (steps.length === limit) return { steps, first, last, next: last!.step };
      last = { step, epoch: row.epochs[i], loss: row.losses[i], lr: row.rates[i] };
      first ??= last;
      if (step % every === 0) steps.push(last);
    }
  }
  if (last !== null && last !== steps.at(-1)) steps.push(last);
  return { steps, first, last, next: null };
}

/** Reads the epochs that ended in a range of steps. If several ended within the same `every` steps, only the last. */
async function readEpochs(
  kv: Deno.Kv,
  jobId: string,
  first: StepPoint,
  last: StepPoint,
  every: number,
): Promise<EpochPoint[]> {
  const epochs: EpochPoint[] = [];
  const block = (epoch: EpochPoint) => Math.ceil(epoch.step / every);
  const batchSize = Math.max(1, Math.min(100, last.epoch - first.epoch + 2));
  const rows = kv.list<EpochPoint>({
    start: keys.epoch(jobId, first.epoch),
    end: keys.epoch(jobId, Number.MAX_SAFE_INTEGER),
  }, { batchSize });
  for await (const { value: epoch } of rows) {
    if (epoch.step < first.step) continue;
    if (epoch.step > last.step) break;
    const previous = epochs.at(-1);
    if (previous !== undefined && block(previous) === block(epoch)) epochs.pop();
    epochs.push(epoch);
  }
  return epochs;
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(
      `${name} must be a whole number from ${min} to ${max}: current value is ${value}`,
    );
  }
}
