/**
 * The time of a planned step by kernel. The calls run sequentially on one core.
 *
 * @module
 */
import { selectBackend } from "../../model/backends/select.ts";
import { instantiate, loadKernels } from "../../model/backends/simd/instance.ts";
import { compile, type KernelCall, measure } from "../../model/backends/simd/plan/compile.ts";
import { writeFeeds } from "../../model/backends/simd/plan/feeds.ts";
import { planMemory } from "../../model/backends/simd/plan/memoryLayout.ts";
import { CHUNK_WEIGHT, record } from "../../model/backends/simd/plan/record.ts";
import { TrainingMemory } from "../../model/backends/simd/plan/trainingMemory.ts";
import type { VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import { imageDim, type MaeConfig } from "../../model/config.ts";
import { objective } from "../../model/training/objective.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { median } from "./engine.ts";

/** The cost of a kernel in a step. */
export interface KernelCost {
  /** Name of the kernel, with its sizes where it computes matrix products. */
  readonly kernel: string;
  /** Number of calls for a chunk. */
  readonly calls: number;
  /** Milliseconds for the whole batch on one core. */
  readonly ms: number;
  /** Speed of a kernel that computes matrix products. */
  readonly gflops?: number;
}

/** Returns the sizes of the matrix products of a call; an empty list for other kernels. */
function sizesOf([name, ...args]: KernelCall): number[] {
  if (name === "gemm" || name === "gemmTransA") return args.slice(0, 3);
  // Heads, tokens and the width of a head.
  if (name === "attention") return [args[1], args[2], args[4]];
  if (name === "attentionGradient") return [args[0], args[1], args[3]];
  return [];
}

/** Returns the floating-point operations of the matrix products of a call; 0 for other kernels. */
function flopsOf(call: KernelCall): number {
  const [name] = call, [a, b, c] = sizesOf(call);
  if (name === "attention") return 4 * a * b * b * c;
  if (name === "attentionGradient") return 8 * a * b * b * c;
  return a ? 2 * a * b * c : 0;
}

/** Returns the name under which the times of a call are summed. */
const labelOf = (call: KernelCall) => `${call[0]} ${sizesOf(call).join("x")}`.trim();

/** Compiles the step of a chunk in a memory that holds its inputs. */
async function compileStep(config: MaeConfig, images: number) {
  await selectBackend("simd");
  const specs = parameterSpecs(config, { model: "mae" });
  const pixels = new Float32Array(images * imageDim(config))
    .map((_, i) => i % 7 / 7);
  const task = { config, architecture: { model: "mae" }, seed: 0 } as const;
  const step = objective(task, { pixels, labels: null }, 0, 0);
  const graph = record(specs, new Map(), step);
  const sizes = measure(graph), layout = planMemory(specs, new Map(), { threads: 1, chunks: 1, ...sizes });
  const shared = new TrainingMemory(layout, sizes.constantBytes), addresses = shared.addressesOf(0);
  await shared.writeWeights(initialWeights(specs, 0));
  const program = compile(graph, addresses), { memory } = shared;
  writeFeeds(memory.buffer, addresses.feeds, graph, program, () => step);
  new Float32Array(memory.buffer)[(addresses.feeds + program.feedOffsets.get(CHUNK_WEIGHT)!) / 4] = 1;
  return { memory, calls: program.calls };
}

/**
 * Times every kernel call of a training step.
 *
 * @param images number of images of a chunk
 * @param repetitions number of times that each call is timed
 * @param vectorBits width of the kernels' vectors
 */
export async function profile(
  config: MaeConfig,
  batch: number,
  images: number,
  repetitions: number,
  vectorBits: VectorBits,
): Promise<KernelCost[]> {
  const { memory, calls } = await compileStep(config, images);
  const kernels = instantiate(loadKernels({ vectorBits }), memory);
  const costs = new Map<string, { calls: number; times: number[]; flops: number }>();
  for (const call of calls) {
    const label = labelOf(call), { calls = 0, flops = 0 } = costs.get(label) ?? {};
    costs.set(label, { calls: calls + 1, times: [], flops: flops + flopsOf(call) });
  }
  for (let i = 0; i < repetitions; i++) {
    const times = new Map<string, number>();
    for (const call of calls) {
      const [name, ...args] = call, label = labelOf(call), kernel = kernels[name];
      const start = performance.now();
      kernel(...args);
      times.set(label, (times.get(label) ?? 0) + performance.now() - start);
    }
    for (const [label, ms] of times) costs.get(label)!.times.push(ms);
  }
  return [...costs].map(([kernel, { calls, times, flops }]) => {
    const ms = median(times);
    return { kernel, calls, ms: ms * batch / images, ...(flops > 0 ? { gflops: flops / ms / 1e6 } : {}) };
  }).sort((a, b) => b.ms - a.ms);
}
