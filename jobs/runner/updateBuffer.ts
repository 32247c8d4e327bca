/**
 * Batches the events of a run into few commits. Steps are buffered for a short time, checkpoints are not.
 *
 * @module
 */
import type { JobProgress } from "../job.ts";
import type { KindEvent } from "../kinds/kind.ts";
import { METRICS_LIMITS, type StepPoint } from "../store/metrics/chunks.ts";
import { Pace } from "./pace.ts";
import type { JobUpdate } from "../store/queue/update.ts";

/** Longest time that a step waits to be written, in milliseconds. */
export const WRITE_MS = 500;

/** What is to be written, in order: every element is one commit. */
export class Telling {
  readonly #clock: () => number;
  #steps: StepPoint[] = [];
  #logs: { level: "info" | "warning"; message: string }[] = [];
  #progress: JobProgress | null = null;
  #pace: Pace | null = null;
  #totalSteps = 0;
  #isFirst = true;

  /** @param clock milliseconds of a steady clock */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Takes an event of a run, except those that are not part of an update. @returns commits that must be made now */
  take(event: Exclude<KindEvent, { type: "result" | "fell_back" | "saving" }>): JobUpdate[] {
    switch (event.type) {
      case "started":
        this.#totalSteps = event.totalSteps;
        this.#pace = new Pace(this.#clock());
        this.#progress = this.#at(event.step, Math.floor(event.step / event.stepsPerEpoch), null);
        return [{ ...this.#drain(), backend: { ...event.backend } }];
      case "step": {
        const { step, epoch, loss, lr, images } = event;
        this.#steps.push({ step, epoch, loss, lr });
        this.#pace?.step(this.#clock(), images);
        this.#progress = this.#at(step, epoch, loss);
        // The first step is written at once, because it shows that the run has started.
        if (this.#steps.length < METRICS_LIMITS.commit && !this.#isFirst) return [];
        this.#isFirst = false;
        return [this.#drain()];
      }
      case "epoch": {
        const { epoch, step, loss, metrics } = event;
        return [{ ...this.#drain(), epoch: { epoch, step, loss, metrics } }];
      }
      case "checkpoint":
        return [{ ...this.#drain(), checkpoint: event.checkpoint }];
      case "log":
        this.#logs.push({ level: event.level, message: event.message });
        return [];
    }
  }

  /** What waits to be written; null for nothing. */
  pending(): JobUpdate | null {
    return this.#steps.length > 0 || this.#logs.length > 0 ? this.#drain() : null;
  }

  #drain(): JobUpdate {
    const update = { steps: this.#steps, logs: this.#logs, progress: this.#progress ?? undefined };
    this.#steps = [];
    this.#logs = [];
    return update;
  }

  #at(step: number, epoch: number, loss: number | null): JobProgress {
    const pace = this.#pace?.now() ?? null;
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
