/**
 * `deno task bench service`: measures a job over HTTP, the start of a runner, and reconstructions.
 *
 * @module
 */
import { type BenchOptions, integerOption, subjectOf } from "./options.ts";
import { round } from "./round.ts";
import { type JobFigures, serviceFigures } from "./serviceFigures.ts";
import { trainProcess } from "./trainProcess.ts";

/** Measures the service. Training steps are measured before and after, to compare a job with its steps alone. */
export async function service(options: BenchOptions): Promise<object> {
  const subject = subjectOf(options), epochs = integerOption(options, "epochs");
  const { batch, threads } = subject, mnist = options.mnist ?? null;
  const stepMs = async () =>
    (await trainProcess(subject, integerOption(options, "steps"), options.vectors)).median_ms;
  const before = await stepMs();
  const figures = await serviceFigures({ mnist, batch, threads, epochs });
  const step = (before + await stepMs()) / 2;
  const job = ({ ms, steps, losses }: JobFigures) => ({
    seconds: round(ms / 1e3, 2),
    beyond_steps: round(ms / (step * steps) - 1, 3),
    steps,
    losses: losses.map((loss) => round(loss, 4)),
  });
  return {
    dataset: mnist ?? "digits",
    threads,
    epochs,
    step_ms: round(step, 2),
    job_api_and_runner_separate: job(figures.separate),
    job_in_one_process: job(figures.combined),
    runner_start_to_first_step_ms: round(figures.firstStepMs),
    runner_peak_memory_mib: figures.runnerPeakMib,
    ...figures.answers,
  };
}
