/**
 * Displays the progress of a job as a bar, or as a line every 5 s if the output is no terminal.
 *
 * @module
 */
// @ts-types="@types/cli-progress"
import { Presets, SingleBar } from "cli-progress";
import type { JobView } from "../client.ts";

const number = (value: number | null, digits: number) => value === null ? "–" : value.toFixed(digits);

function time(seconds: number | null): string {
  if (seconds === null) return "–";
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** The progress bar of one job. */
export class ProgressBar {
  readonly #bar: SingleBar;
  #started = false;

  /** @param title beginning of the line */
  constructor(title: string) {
    const format =
      `${title} {bar} step {value}/{total} · epoch {epoch} · loss {loss} · {speed} images/s · ETA {left}`;
    this.#bar = new SingleBar({
      format,
      barsize: 24,
      hideCursor: true,
      noTTYOutput: true,
      notTTYSchedule: 5000,
      linewrap: false,
      stopOnComplete: false,
    }, Presets.shades_classic);
  }

  /** Updates the bar. */
  show({ progress }: JobView): void {
    if (progress === null) return;
    const values = {
      epoch: progress.epoch + 1,
      loss: number(progress.loss, 4),
      speed: number(progress.images_per_second, 0),
      left: time(progress.eta_seconds),
    };
    if (!this.#started) this.#bar.start(progress.total_steps, progress.step, values);
    this.#started = true;
    this.#bar.update(progress.step, values);
  }

  /** Ends the output and leaves the last state on the screen. */
  stop(): void {
    if (this.#started) this.#bar.stop();
  }
}
