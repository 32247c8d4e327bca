/**
 * Where a planned step spends its time: its calls, one by one on one core, by kernel.
 *
 * @module
 */
import { selectBackend } from "../../model/backends/select.ts";
import { instantiate, kernelModule } from "../../model/backends/simd/instance.ts";
import { compile } from "../../model/backends/simd/plan/program.ts";
import { record } from "../../model/backends/simd/plan/record.ts";
import { type MaeConfig } from "../../model/config.ts";
import { objective } from "../../model/training/objective.ts";
import { sizeOf } from "../../model/shape.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";
import { Addresses } from "./addresses.ts";
import { median } from "./engine.ts";

/** What a kernel costs in a step. */
export interface KernelCost {
  readonly kernel: string;
  /** Calls of a chunk. */
  readonly calls: number;
  /** Milliseconds of a whole batch on one core. */
  readonly ms: number;
  /** Speed of those that are products. */
  readonly gflops?: number;
}

/** Operations of a call, where it is a product. */
function flopsOf(name: string, numbers: readonly number[]): number {
  const [a, b, c, d] = numbers;
  if (name === "gemm" || name === "gemmTransA") return 2 * a * b * c;
  if (name === "attention") return 4 * a * b * b * c * d;
  if (name === "attentionGradient") return 8 * a * b * b * c * d;
  return 0;
}

/** Times every call of a step over chunks of so many images, so many times. */
export async function profile(
  config: MaeConfig,
  batch: number,
  images: number,
  turns: number,
): Promise<KernelCost[]> {
  await selectBackend("simd");
  const specs = parameterSpecs(config, { model: "mae" });
  const pixels = new Float32Array(images * config.imageSize ** 2 * config.inChannels).map((_, i) =>
    i % 7 / 7
  );
  const task = { config, shape: { model: "mae" }, seed: 0 } as const;
  const { feeds, ...rest } = objective(task, { pixels, labels: null }, 0, 0);
  const graph = await record(specs, new Map(), { feeds, ...rest });
  const addresses = new Addresses();
  const places = new Map<string, number>(), constants: { at: number; data: Float32Array | Int32Array }[] = [];
  const placed = (key: string, values: number) => {
    if (!places.has(key)) places.set(key, addresses.take(values));
    return places.get(key)!;
  };
  const sizes = new Map(specs.map(({ name, shape }) => [name, sizeOf(shape)]));
  const make = (at: { feeds: number; results: number; scratch: number }) =>
    compile(graph, {
      parameter: (name) => placed(name, sizes.get(name)!),
      gradient: (name) => placed(`gradient/${name}`, sizes.get(name)!),
      constant: (data) => {
        const at = placed(`constant/${constants.length}`, data.length);
        constants.push({ at, data });
        return at;
      },
      ...at,
    });
  const { feedBytes, resultBytes, scratchBytes } = make({ feeds: 0, results: 0, scratch: 0 });
  constants.length = 0;
  const program = make({
    feeds: addresses.take(feedBytes / 4),
    results: addresses.take(resultBytes / 4),
    scratch: addresses.take(scratchBytes / 4),
  });
  const memory = addresses.memory(true);
  const values = new Float32Array(memory.buffer);
  for (const [name, { data }] of initialWeights(specs, 0)) values.set(data, placed(name, 0) / 4);
  for (const { at, data } of constants) {
    new (data.constructor as typeof Float32Array)(memory.buffer).set(data, at / 4);
  }
  for (const [name, offset] of program.feedOffsets) {
    const data = feeds[name] ?? Float32Array.of(1);
    const heap = data instanceof Int32Array ? new Int32Array(memory.buffer) : values;
    heap.set(data, (program.weightAt - program.feedOffsets.get("weight")! + offset) / 4);
  }
  const kernels = instantiate(kernelModule(true).module, memory);
  const costs = new Map<string, { calls: number; times: number[]; flops: number }>();
  for (let turn = 0; turn < turns; turn++) {
    const spent = new Map<string, number>();
    for (const [name, ...numbers] of program.calls) {
      const shape = flopsOf(name, numbers) > 0
        ? ` ${numbers.slice(0, name.startsWith("attention") ? 4 : 3).join("x")}`
        : "";
      const key = name + shape, kernel = kernels[name];
      const start = performance.now();
      kernel(...numbers);
      const ms = performance.now() - start;
      spent.set(key, (spent.get(key) ?? 0) + ms);
      const cost = costs.get(key) ?? { calls: 0, times: [], flops: 0 };
      if (turn === 0) {
        cost.calls++;
        cost.flops += flopsOf(name, numbers);
      }
      costs.set(key, cost);
    }
    for (const [key, ms] of spent) costs.get(key)!.times.push(ms);
  }
  return [...costs].map(([kernel, { calls, times, flops }]) => {
    const ms = median(times);
    return {
      kernel,
      calls,
      ms: ms * batch / images,
      ...(flops > 0 ? { gflops: flops / ms / 1e6 } : {}),
    };
  }).sort((a, b) => b.ms - a.ms);
}
