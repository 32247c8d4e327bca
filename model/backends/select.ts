/**
 * Selects the fastest backend that works, and reports why faster ones were skipped.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { linear } from "../ops/linear.ts";
import { useNative } from "../ops/native.ts";
import { sizeOf } from "../shape.ts";
import { BackendError, type BackendOptions, type Planner } from "./backend.ts";
import { evaluate } from "./evaluate.ts";
import { BACKEND_NAMES, type BackendName, BACKENDS } from "./list.ts";
import type { VectorBits } from "./simd/vectorFlags.ts";

// Otherwise the cpu backend prints advice about Node.js at its first use.
tf.enableProdMode();

/** The backend in use. */
export interface SelectedBackend {
  readonly name: BackendName;
  /** Why each skipped backend cannot be used. */
  readonly notes: readonly string[];
  /** Plans whole training steps and forward passes, where the backend can. */
  readonly planner?: Planner;
  /** Width of the vectors of our WebAssembly kernels; absent for other backends. */
  readonly vectorBits?: VectorBits;
}

/** Options of the selection. */
export interface SelectOptions extends Omit<BackendOptions, "gpuOnly"> {
  /** Floating-point operations of a training step or an inference. Small ones are not faster on a GPU. @default 0 */
  readonly flops?: number;
}

/**
 * Minimum number of floating-point operations for which a GPU is tried first. An operation through TensorFlow.js takes
 * 0.2 ms on the host, an inference about a hundred of them. For this many operations, our kernels take several times as
 * long.
 */
const GPU_MIN_FLOPS = 2e10;

interface Candidate {
  readonly name: BackendName;
  readonly gpuOnly?: boolean;
}

/** Returns the candidates for `auto`, the fastest first. */
function candidates(flops: number): Candidate[] {
  const namesFor = (device: "cpu" | "gpu") =>
    BACKEND_NAMES.filter((name) => BACKENDS[name].auto.includes(device));
  const gpus = namesFor("gpu").map((name) => ({ name, gpuOnly: true }));
  const cpus = namesFor("cpu").map((name) => ({ name }));
  return flops < GPU_MIN_FLOPS ? cpus : [...gpus, ...cpus];
}

/** Computes a linear layer with a known result. Returns the fault, or null. */
async function selfTest(planner?: Planner): Promise<string | null> {
  const inputs = [[2, 3], [3, 3], [3]].map((shape) => ({
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => i + 1),
    shape,
  }));
  const compute = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => [
    linear(x, weight as tf.Tensor2D, bias as tf.Tensor1D),
  ];
  const [values] = await evaluate(inputs, compute as (...inputs: tf.Tensor[]) => tf.Tensor[], planner);
  const expected = [15, 34, 53, 33, 79, 125];
  return `${values}` === `${expected}` ? null : `its self-test returned [${values}] instead of [${expected}]`;
}

/** Starts and tests a backend. Returns what it offers, or why it cannot be used. */
async function startAndTest(
  { name, gpuOnly }: Candidate,
  { tensorflow, threads, vectorBits }: SelectOptions,
): Promise<Pick<SelectedBackend, "planner" | "vectorBits"> | { fault: string }> {
  try {
    useNative();
    const backend = await BACKENDS[name].load();
    const started = await backend.start({ tensorflow, threads, vectorBits, gpuOnly });
    useNative(started.ops);
    const fault = await selfTest(started.planner);
    return fault === null ? { planner: started.planner, vectorBits: started.vectorBits } : { fault };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Selects the backend that computes all operations from now on.
 *
 * @param name a backend, or `auto` for the fastest one that works
 * @throws {BackendError} when the name is unknown or no candidate works
 *
 * @example
 * ```ts
 * import { selectBackend } from "./select.ts";
 *
 * const { name, notes } = await selectBackend("auto");
 * console.log(name, notes); // for example simd, and why faster backends were skipped
 * ```
 */
export async function selectBackend(
  name: string = "auto",
  options: SelectOptions = {},
): Promise<SelectedBackend> {
  const requested = BACKEND_NAMES.find((backend) => backend === name);
  if (name !== "auto" && !requested) {
    const valid = ["auto", ...BACKEND_NAMES].join(", ");
    throw new BackendError(`Cannot use the backend '${name}': it must be one of ${valid}`);
  }
  const notes: string[] = [];
  for (const candidate of requested ? [{ name: requested }] : candidates(options.flops ?? 0)) {
    const tried = await startAndTest(candidate, options);
    if (!("fault" in tried)) return { name: candidate.name, notes, ...tried };
    notes.push(`${candidate.name}: ${tried.fault}`);
  }
  throw new BackendError(`No backend works. ${notes.join("; ")}`);
}
