/**
 * `deno task bench growth`: measures costs that grow with the number of jobs, epochs and event streams.
 *
 * @module
 */
import { streamFigures } from "./eventStreams.ts";
import { answerFigures } from "./growthAnswers.ts";
import { type BenchOptions, integerOption } from "./options.ts";
import { round } from "./round.ts";

/** Number of epochs of the long loss series. */
const EPOCHS = 5000;

/** Measures responses and event streams. With `--kv` it measures only responses, on a `denokv` server. */
export async function growth(options: BenchOptions): Promise<object> {
  const jobs = integerOption(options, "jobs"), kv = options.kv ?? null;
  const answers = Object.entries(await answerFigures({ jobs, epochs: EPOCHS, kv }));
  const figures = {
    jobs,
    answers: answers.map(([path, { ms, bytes }]) => ({ path, ms: round(ms, 2), bytes })),
  };
  if (kv !== null) return figures;
  const subject = {
    listeners: integerOption(options, "listeners"),
    seconds: integerOption(options, "seconds"),
    threads: integerOption(options, "threads"),
  };
  const streams = await streamFigures(subject);
  return {
    ...figures,
    listeners: subject.listeners,
    cpu_of_api_idle: round(streams.idleCpu, 3),
    cpu_of_api_with_streams: round(streams.cpuWithStreams, 3),
    training_images_per_second: round(streams.imagesPerSecond),
    training_images_per_second_with_streams: round(streams.imagesPerSecondWithStreams),
  };
}
