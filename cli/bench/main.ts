/**
 * `deno task bench`: what the engine does on this machine, beside what the machine and its peers can do.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { PRESETS } from "../../model/presets.ts";
import { archiveFigures } from "./archive.ts";
import { inference, median, preparation, type Subject, TrainingBench } from "./engine.ts";
import { forwardFlops } from "../../model/flops.ts";
import { answerFigures, type GrowthSubject, listenerFigures } from "./growth.ts";
import { productSpeeds } from "./kernels.ts";
import { peakMemory } from "./memory.ts";
import { fmaPeak } from "./peak.ts";
import { type PeerLine, peerLines } from "./peer.ts";
import { profile as kernelCosts } from "./profile.ts";
import { type JobFigures, serviceFigures } from "./service.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: "string", default: "mnist" },
    backend: { type: "string", default: "simd" },
    threads: { type: "string", default: String(navigator.hardwareConcurrency) },
    batch: { type: "string" },
    steps: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
    images: { type: "string", default: "1" },
    python: { type: "string", default: "python3" },
    script: { type: "string", default: "../shared/peers/pytorch_step.py" },
    modes: { type: "string", default: "eager,fused,compile" },
    data: { type: "string", default: "../shared/data/mnist" },
    epochs: { type: "string", default: "1" },
    jobs: { type: "string", default: "10000" },
    listeners: { type: "string", default: "256" },
    seconds: { type: "string", default: "10" },
    kv: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

const round = (value: number, digits = 1) => Number(value.toFixed(digits));
type Count =
  | "threads"
  | "steps"
  | "rounds"
  | "images"
  | "batch"
  | "epochs"
  | "jobs"
  | "listeners"
  | "seconds";
const whole = (name: Count, fallback = 1) => {
  const value = Number(values[name] ?? fallback);
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`--${name} must be a whole number from 1 up`);
  }
  return value;
};

function subject(): Subject {
  if (!Object.hasOwn(PRESETS, values.config)) {
    throw new RangeError(`--config must be ${Object.keys(PRESETS).join(" or ")}`);
  }
  const preset = values.config as Subject["preset"];
  const batch = whole("batch", preset === "mnist" ? 128 : 4);
  return { preset, backend: values.backend, threads: whole("threads"), batch };
}

function timing(
  times: readonly number[],
  { preset, batch }: Subject,
  threads: number,
  passes: number,
  peak: number,
) {
  const ms = median(times), gflops = passes * forwardFlops(PRESETS[preset]) * batch / ms / 1e6;
  return {
    median_ms: round(ms, 2),
    min_ms: round(Math.min(...times), 2),
    images_per_second: round(batch / ms * 1e3),
    gflops: round(gflops),
    share_of_fma_peak: round(gflops * 1e9 / (peak * threads), 3),
  };
}

async function train(): Promise<unknown> {
  const what = subject(), peak = await fmaPeak();
  const bench = await TrainingBench.open(what);
  for (let i = 0; i < 3; i++) await bench.step();
  const times: number[] = [];
  for (let i = 0; i < whole("steps"); i++) times.push(await bench.step());
  const { threads, note } = bench.stepper;
  const memory = await peakMemory();
  await bench.stepper.dispose();
  return {
    ...what,
    threads,
    ...(note ? { note } : {}),
    ...timing(times, what, threads, 3, peak),
    prepare_ms: round(preparation(what), 2),
    peak_gflops_a_core: round(peak / 1e9),
    peak_memory_mib: memory,
  };
}

async function infer(): Promise<unknown> {
  const what = { ...subject(), batch: whole("images") }, peak = await fmaPeak();
  const rows: Record<string, unknown> = { ...what, threads: 1 };
  for (const call of ["reconstruct", "classify", "embed"] as const) {
    const times = await inference(what, call, whole("steps"));
    rows[call] = call === "reconstruct"
      ? timing(times, what, 1, 1, peak)
      : { median_ms: round(median(times), 2), min_ms: round(Math.min(...times), 2) };
  }
  return { ...rows, peak_memory_mib: await peakMemory() };
}

async function kernels(): Promise<unknown> {
  const what = subject(), peak = await fmaPeak() / 1e9;
  const images = what.preset === "mnist" ? 8 : 2;
  const share = (gflops: number) => round(gflops / peak, 2);
  return {
    peak_gflops_a_core: round(peak),
    images,
    products: productSpeeds(PRESETS[what.preset], images).map(({ name, rows, inDim, outDim, gflops }) => ({
      name,
      shape: `${rows}x${inDim}x${outDim}`,
      forward: share(gflops.forward),
      dx: share(gflops.dx),
      dw: share(gflops.dw),
    })),
  };
}

async function profile(): Promise<unknown> {
  const what = subject(), images = what.preset === "mnist" ? 8 : 2, peak = await fmaPeak() / 1e9;
  const costs = await kernelCosts(PRESETS[what.preset], what.batch, images, whole("steps"));
  return {
    peak_gflops_a_core: round(peak),
    one_core_ms: round(costs.reduce((sum, { ms }) => sum + ms, 0)),
    kernels: costs.map(({ kernel, calls, ms, gflops }) => ({
      kernel,
      calls,
      ms: round(ms, 2),
      ...(gflops ? { share_of_fma_peak: round(gflops / peak, 2) } : {}),
    })),
  };
}

async function service(): Promise<unknown> {
  const { batch, threads } = subject(), epochs = whole("epochs");
  const mnist = await Deno.stat(values.data).then(() => values.data, () => null);
  const before = (await ours(threads)).median_ms;
  const figures = await serviceFigures({ mnist, batch, threads, epochs });
  const step = (before + (await ours(threads)).median_ms) / 2;
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
    job_api_and_runner_apart: job(figures.apart),
    job_in_one_process: job(figures.together),
    runner_start_to_first_step_ms: round(figures.firstStepMs),
    runner_peak_memory_mib: figures.runnerPeakMib,
    reconstruct_json_p50_ms: round(figures.reconstructJsonMs, 2),
    reconstruct_png_p50_ms: round(figures.reconstructPngMs, 2),
  };
}

/** Ours in a process of its own, as the peer is. */
async function ours(threads: number): Promise<{ median_ms: number; min_ms: number }> {
  const what = subject();
  const args = [`--config=${what.preset}`, `--batch=${what.batch}`, `--steps=${values.steps}`];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", import.meta.filename!, "train", ...args, `--threads=${threads}`, "--json"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function peer(): Promise<unknown> {
  const what = subject(), most = whole("threads");
  const own = new Map<number, number[]>(), other = new Map<string, { line: PeerLine; times: number[] }>();
  const peerConfig = what.preset === "vit_base" ? "vitb" : what.preset;
  for (let turn = 0; turn < whole("rounds"); turn++) {
    for (const threads of new Set([1, most])) {
      own.set(threads, [...own.get(threads) ?? [], (await ours(threads)).median_ms]);
      for (const mode of values.modes.split(",")) {
        const args = ["--config", peerConfig, "--batch", `${what.batch}`, "--steps", values.steps];
        const lines = await peerLines(values.python, values.script, [
          ...args,
          "--threads",
          `${threads}`,
          "--modes",
          mode,
        ]);
        for (const line of lines) {
          const key = `${line.mode}/${line.threads}`, known = other.get(key) ?? { line, times: [] };
          known.times.push(line.median_ms);
          other.set(key, known);
        }
      }
    }
  }
  const peers = [...other.values()].map(({ line: { peer, mode, threads }, times }) => ({
    peer,
    mode,
    threads,
    median_ms: round(median(times)),
  }));
  const best = Math.min(...peers.map((line) => line.median_ms));
  const bestOfOne = Math.min(...peers.filter(({ threads }) => threads === 1).map((line) => line.median_ms));
  const all = median(own.get(most)!), one = median(own.get(1)!);
  return {
    config: what.preset,
    batch: what.batch,
    rounds: whole("rounds"),
    ours: [...own].map(([threads, times]) => ({ threads, median_ms: round(median(times)) })),
    peers,
    ratio_to_best: round(all / best, 2),
    ratio_at_one_thread: round(one / bestOfOne, 2),
  };
}

/** Measures what grows with jobs, epochs and listeners; `--kv` measures responses on a `denokv` server. */
async function growth(): Promise<unknown> {
  const subject: GrowthSubject = {
    jobs: whole("jobs"),
    epochs: 5000,
    listeners: whole("listeners"),
    seconds: whole("seconds"),
    threads: whole("threads"),
    kv: values.kv ?? null,
  };
  const answers = Object.entries(await answerFigures(subject));
  const listeners = subject.kv === null ? await listenerFigures(subject) : null;
  return {
    jobs: subject.jobs,
    answers: answers.map(([path, { ms, bytes }]) => ({ path, ms: round(ms, 2), bytes })),
    ...(listeners && {
      listeners: subject.listeners,
      cpu_of_api_idle: round(listeners.idleCpu, 3),
      cpu_of_api_listened: round(listeners.listenedCpu, 3),
      training_images_per_second: round(listeners.trainingImagesPerSecond),
      training_listened_images_per_second: round(listeners.listenedImagesPerSecond),
    }),
  };
}

/** Measures how fast `--images` small images become a data set. */
async function archive(): Promise<unknown> {
  const images = whole("images"), { bytes, ms, longestTurnMs } = await archiveFigures(images);
  return {
    images,
    archive_bytes: bytes,
    seconds: round(ms / 1e3, 2),
    images_per_second: round(images / ms * 1e3),
    longest_turn_ms: round(longestTurnMs),
  };
}

const COMMANDS: Readonly<Record<string, () => Promise<unknown>>> = {
  train,
  infer,
  kernels,
  profile,
  service,
  growth,
  archive,
  peer,
};

/** Lines of a figure: nested ones in JSON. */
function lines(figures: object): string {
  return Object.entries(figures).flatMap(([name, value]) =>
    Array.isArray(value)
      ? [name, ...value.map((row) => `  ${JSON.stringify(row)}`)]
      : `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`
  ).join("\n");
}

const command = COMMANDS[positionals[0] ?? ""];
if (!command) {
  console.error(`Say what to measure: deno task bench ${Object.keys(COMMANDS).join("|")}`);
  Deno.exit(2);
}
try {
  const figures = await command();
  console.log(values.json ? JSON.stringify(figures) : lines(figures as object));
  Deno.exit(0);
} catch (error) {
  console.error(error instanceof RangeError ? error.message : error);
  Deno.exit(1);
}
