/**
 * Measures training steps of this engine and of PyTorch in turn, each in a separate process.
 *
 * @module
 */
import { toWire } from "../../../data/wire.ts";
import { MODELS } from "../models.ts";
import { median, type Subject } from "../engine.ts";
import { type BenchOptions, integerOption, subjectOf } from "../options.ts";
import { round } from "../round.ts";
import { trainProcess } from "../trainProcess.ts";
import { runScript } from "./python.ts";

/** The output of `pytorch_step.py`. */
interface PeerFigures {
  readonly peer: string;
  readonly mode: string;
  readonly threads: number;
  readonly median_ms: number;
}

async function peerStep(
  options: BenchOptions,
  { model, batch, threads }: Subject,
  mode: string,
): Promise<PeerFigures> {
  const values = {
    config: JSON.stringify(toWire(MODELS[model])),
    batch,
    threads,
    mode,
    steps: integerOption(options, "steps"),
  };
  const args = Object.entries(values).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const script = new URL("./pytorch_step.py", import.meta.url);
  return JSON.parse(await runScript(options.python, script, args, ["torch", "numpy"]));
}

/** Measures training steps with one thread and with `--threads`, in `--rounds` rounds. */
export async function peer(options: BenchOptions): Promise<object> {
  const subject = subjectOf(options), rounds = integerOption(options, "rounds");
  const ourTimes = new Map<number, number[]>();
  const peerTimes = new Map<string, { figures: PeerFigures; times: number[] }>();
  for (let i = 0; i < rounds; i++) {
    for (const threads of new Set([1, subject.threads])) {
      const { median_ms } = await trainProcess(
        { ...subject, threads },
        integerOption(options, "steps"),
        options.vectors,
      );
      ourTimes.set(threads, [...ourTimes.get(threads) ?? [], median_ms]);
      for (const mode of options.modes.split(",")) {
        const figures = await peerStep(options, { ...subject, threads }, mode);
        const { times } = peerTimes.get(`${mode}/${threads}`) ?? { times: [] };
        peerTimes.set(`${mode}/${threads}`, { figures, times: [...times, figures.median_ms] });
      }
    }
  }
  const peers = [...peerTimes.values()].map(({ figures: { peer, mode, threads }, times }) => ({
    peer,
    mode,
    threads,
    median_ms: round(median(times)),
  }));
  const fastest = (rows: typeof peers) => Math.min(...rows.map(({ median_ms }) => median_ms));
  const ratio = (threads: number, rows: typeof peers) =>
    round(median(ourTimes.get(threads)!) / fastest(rows), 2);
  return {
    config: subject.model,
    batch: subject.batch,
    rounds,
    ours: [...ourTimes].map(([threads, times]) => ({ threads, median_ms: round(median(times)) })),
    peers,
    ratio_to_best: ratio(subject.threads, peers),
    ratio_at_one_thread: ratio(1, peers.filter(({ threads }) => threads === 1)),
  };
}
