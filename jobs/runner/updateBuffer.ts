/**
 * Batches the events of a run, so that they are written in few commits.
 *
 * @module
 */
import type { EpochPoint, JobProgress, StepPoint } from "../job.ts";
import type { KindEvent } from "../kinds/kind.ts";
import { METRICS_LIMITS } from "../store/metrics/chunks.ts";
import type { JobUpdate } from "../store/queue/update.ts";
import { Pace } from "./pace.ts";

/** Buffers steps, an epoch and log messages. Each returned update is one commit, and updates are in order. */
export class UpdateBuffer {
  readonly #clock: () => number;
  #steps: StepPoint[] = [];
  #epoch: EpochPoint | undefined;
  #logs: { level: "info" | "warning"; message: string }[] = [];
  #progress: JobProgress | null = null;
  #pace: Pace | null = null;
  #totalSteps = 0;
  #isFirstStep = true;

  /** @param clock returns the milliseconds of a monotonic clock */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Adds an event. @returns updates that must be written now */
  add(event: Exclude<KindEvent, { type: "result" | "fell_back" | "saving" }>): JobUpdate[] {
    switch (event.type) {
      case "started":
        this.#totalSteps = event.totalSteps;
        this.#pace = new Pace(this.#clock());
        this.#progress = this.#progressOf(event.step, Math.floor(event.step / event.stepsPerEpoch), null);
        return [{ ...this.#takeAll(), backend: { ...event.backend } }];
      case "features":
        // The steps begin once the features are computed.
        this.#pace = new Pace(this.#clock());
        this.#logs.push({
          level: "info",
          message: `Computed the features of ${event.images} of ${event.total} images`,
        });
        return [this.#takeAll()];
      case "step": {
        const { step, epoch, loss, lr, images } = event;
        return this.#addSteps([{ step, epoch, loss, lr }], images);
      }
      case "steps":
        return this.#addSteps(event.steps, event.images);
      case "epoch": {
        // A checkpoint often follows, and is then written in the same commit.
        const { epoch, step, loss, metrics } = event, earlier = this.#epoch ? [this.#takeAll()] : [];
        this.#epoch = { epoch, step, loss, metrics };
        return earlier;
      }
      case "checkpoint":
        return [{ ...this.#takeAll(), checkpoint: event.checkpoint }];
      case "log":
        this.#logs.push({ level: event.level, message: event.message });
        return [];
    }
  }

  /** Empties the buffer. @returns the buffered update; null when the buffer is empty */
  drain(): JobUpdate | null {
    const isEmpty = this.#steps.length === 0 && this.#logs.length === 0 && this.#epoch === undefined;
    return isEmpty ? null : this.#takeAll();
  }

  #addSteps(steps: readonly StepPoint[], images: number): JobUpdate[] {
    const last = steps.at(-1)!, isFull = this.#steps.length + steps.length > METRICS_LIMITS.commit;
    const full = isFull ? [this.#takeAll()] : [];
    this.#steps.push(...steps);
    this.#pace?.add(this.#clock(), steps.length, images);
    this.#progress = this.#progressOf(last.step, last.epoch, last.loss);
    // The first step is not buffered, because it shows that the run computes.
    if (!this.#isFirstStep) return full;
    this.#isFirstStep = false;
    return [...full, this.#takeAll()];
  }

  #takeAll(): JobUpdate {
    const update: JobUpdate = {
      steps: this.#steps,
      epoch: this.#epoch,
      logs: this.#logs,
      progress: this.#progress ?? undefined,
    };
    this.#steps = [];
    this.#epoch = undefined;
    this.#logs = [];
    return update;
  }

  #progressOf(step: number, epoch: number, loss: number | null): JobProgress {
    const pace = this.#pace?.current() ?? null;
    return {
      step,
      totalSteps: this.#totalSteps,
      epoch,
      loss,
      imagesPerSecond: pace && pace.imagesPerSecond,
      etaSeconds: pace && pace.secondsPerStep * Math.max(0, this.#totalSteps - step),
    };
  }
}
