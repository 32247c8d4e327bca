/**
 * Benchmarks of the engine: training steps, inference and kernels.
 *
 * @module
 */
import { forwardFlops } from "../../model/flops.ts";
import { MODELS } from "./models.ts";
import { inference, median, preparation, type Subject, TrainingBench } from "./engine.ts";
import { productSpeeds } from "./kernels.ts";
import { type BenchOptions, integerOption, subjectOf } from "./options.ts";
import { fmaPeak } from "./peak.ts";
import { peakMemory } from "./peakMemory.ts";
import { profile as kernelCosts } from "./profile.ts";
import { round } from "./round.ts";

/** Untimed steps at the start. */
const WARMUP_STEPS = 3;

/** @param passes number of forward passes that cost as much as the measured work @param peak of a core, in FLOP/s */
function timing(times: readonly number[], subject: Subject, threads: number, passes: number, peak: number) {
  const { model, batch } = subject;
  const ms = median(times), gflops = passes * forwardFlops(MODELS[model]) * batch / ms / 1e6;
  return {
    median_ms: round(ms, 2),
    min_ms: round(Math.min(...times), 2),
    images_per_second: round(batch / ms * 1e3),
    gflops: round(gflops),
    share_of_fma_peak: round(gflops * 1e9 / (peak * threads), 3),
  };
}

/** Measures training steps. */
export async function train(options: BenchOptions): Promise<object> {
  const subject = subjectOf(options), steps = integerOption(options, "steps");
  const peak = await fmaPeak(subject.vectorBits);
  const bench = await TrainingBench.open(subject);
  for (let i = 0; i < WARMUP_STEPS; i++) await bench.step();
  const times: number[] = [];
  // A GPU computes several steps in the time in which the host reads a loss.
  const overlap = (bench.stepper.maxInFlight ?? 1) > 1;
  if (overlap) times.push(await bench.steps(steps));
  for (let i = 0; i < steps && !overlap; i++) times.push(await bench.step());
  const { threads, note } = bench.stepper;
  const memory = await peakMemory();
  await bench.stepper.dispose();
  return {
    ...subject,
    threads,
    ...(note ? { note } : {}),
    ...timing(times, subject, threads, 3, peak),
    prepare_ms: round(preparation(subject), 2),
    peak_gflops_a_core: round(peak / 1e9),
    peak_memory_mib: memory,
  };
}

/** Measures the three inference calls on `--images` images. */
export async function infer(options: BenchOptions): Promise<object> {
  const subject = { ...subjectOf(options), batch: integerOption(options, "images") };
  const peak = await fmaPeak(subject.vectorBits);
  const figures: Record<string, unknown> = { ...subject };
  for (const call of ["reconstruct", "classify", "embed"] as const) {
    const { times, threads } = await inference(subject, call, integerOption(options, "steps"));
    figures.threads = threads;
    figures[call] = call === "reconstruct"
      ? timing(times, subject, threads, 1, peak)
      : { median_ms: round(median(times), 2), min_ms: round(Math.min(...times), 2) };
  }
  return { ...figures, peak_memory_mib: await peakMemory() };
}

/** Number of images of a sub-batch whose kernels are measured. */
const batchSizeOf = ({ model }: Subject) => model === "mnist" ? 8 : 2;

/** Measures the matrix products of the model as shares of a core's peak. */
export async function kernels(options: BenchOptions): Promise<object> {
  const subject = subjectOf(options), { vectorBits } = subject, images = batchSizeOf(subject);
  const peak = await fmaPeak(vectorBits) / 1e9, share = (gflops: number) => round(gflops / peak, 2);
  return {
    vector_bits: vectorBits,
    peak_gflops_a_core: round(peak),
    images,
    products: productSpeeds(MODELS[subject.model], images, vectorBits).map(
      ({ name, rows, inDim, outDim, gflops }) => ({
        name,
        shape: `${rows}x${inDim}x${outDim}`,
        forward: share(gflops.forward),
        dx: share(gflops.dx),
        dw: share(gflops.dw),
      }),
    ),
  };
}

/** Measures the kernels of a training step. */
export async function profile(options: BenchOptions): Promise<object> {
  const subject = subjectOf(options), { vectorBits } = subject, peak = await fmaPeak(vectorBits) / 1e9;
  const costs = await kernelCosts(
    MODELS[subject.model],
    subject.batch,
    batchSizeOf(subject),
    integerOption(options, "steps"),
    vectorBits,
  );
  return {
    vector_bits: vectorBits,
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
