/**
 * Updates of a run, and their events.
 *
 * @module
 */
import type { Checkpoint, EpochPoint, JobBackend, JobProgress, StepPoint } from "../../job.ts";
import type { NewEvent } from "../events/event.ts";
import { METRICS_LIMITS } from "../metrics/chunks.ts";

/** An update of a run. It is written in one commit. */
export interface JobUpdate {
  readonly backend?: JobBackend;
  /** In increasing order, at most 2048. */
  readonly steps?: readonly StepPoint[];
  readonly progress?: JobProgress;
  readonly epoch?: EpochPoint;
  readonly checkpoint?: Omit<Checkpoint, "createdAt">;
  readonly logs?: readonly { readonly level: "info" | "warning"; readonly message: string }[];
}

/** Maximum number of a backend's notes that are stored, and of characters in each. */
const NOTES = 8, NOTE_LENGTH = 400;

/** Returns the events of an update, in the order in which they occurred. */
export function updateEvents({ backend, progress, epoch, checkpoint, logs = [] }: JobUpdate): NewEvent[] {
  const events: NewEvent[] = [];
  const add = (type: NewEvent["type"], message: string, data: object, level: NewEvent["level"] = "info") =>
    void events.push({ type, level, message, data: { ...data } });
  const addEpoch = (epoch: EpochPoint) => {
    const message = `Epoch ${epoch.epoch + 1} ended at step ${epoch.step}, mean loss ${
      epoch.loss.toPrecision(6)
    }`;
    add("epoch", message, limitMetrics(epoch));
  };
  if (backend) add("log", `Computing on ${backend.name}`, { backend });
  // Progress beyond an epoch was made after its end.
  const isPast = epoch !== undefined && progress !== undefined && progress.step > epoch.step;
  if (epoch && isPast) addEpoch(epoch);
  if (progress) {
    const loss = progress.loss === null ? "" : `, loss ${progress.loss.toPrecision(6)}`;
    add("progress", `Step ${progress.step} of ${progress.totalSteps}${loss}`, progress);
  }
  if (epoch && !isPast) addEpoch(epoch);
  if (checkpoint) {
    const { id, step, epoch, final, metrics, size, sha256 } = checkpoint;
    const data = { checkpoint: id, step, epoch, final, metrics, size, sha256 };
    add("checkpoint", `Checkpoint ${id} at step ${step}`, data);
  }
  for (const { level, message } of logs) add("log", message, {}, level);
  return events;
}

/** Returns an epoch with its metrics limited to what fits in a row. */
export function limitMetrics(epoch: EpochPoint): EpochPoint {
  return {
    ...epoch,
    metrics: Object.fromEntries(
      Object.entries(epoch.metrics).slice(0, METRICS_LIMITS.epochMetrics)
        .map(([name, value]) => [name.slice(0, METRICS_LIMITS.metricName), value]),
    ),
  };
}

/** Returns a backend with its notes limited to what fits in a row. */
export function limitBackend(backend: JobBackend): JobBackend {
  return { ...backend, notes: backend.notes.slice(0, NOTES).map((note) => note.slice(0, NOTE_LENGTH)) };
}
