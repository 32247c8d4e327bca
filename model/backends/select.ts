/**
 * Picks what computes: the fastest backend that works, and says which it is and why others were passed over.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { useNative } from "../ops/native.ts";
import type { Planner } from "../training/stepper.ts";
import { type Backend, BackendError, type BackendName, BACKENDS, type BackendSettings } from "./backend.ts";
import { cpu, simd, wasm } from "./embedded.ts";
import { tensorflow } from "./tensorflow.ts";
import { webgpu } from "./webgpu.ts";

// Without it the cpu backend prints advice about Node.js at its first use.
tf.enableProdMode();

const STARTS: Readonly<Record<BackendName, Backend>> = { simd, tensorflow, webgpu, wasm, cpu };

/** The backend in use. */
export interface SelectedBackend {
  readonly name: BackendName;
  /** A line for each backend that was passed over. */
  readonly notes: readonly string[];
  /** Plans whole training steps, where the backend can. */
  readonly planner?: Planner;
}

/** What the choice depends on. */
export interface SelectOptions extends Omit<BackendSettings, "gpuOnly"> {
  /** Floating-point operations of a step or an answer; small ones do not gain from a GPU. @default 0 */
  readonly flops?: number;
}

/**
 * Operations of a step from which a GPU is tried first. Through TensorFlow.js a step is some two hundred dispatches of
 * about 0.2 ms on the host, whatever its size; our kernels take several times as long for so many operations.
 */
const GPU_FROM = 2e10;

/** A candidate of `auto`. */
interface Candidate {
  readonly name: BackendName;
  readonly gpuOnly?: boolean;
}

/** Candidates of `auto` from the fastest to the one that always works. */
function candidates(flops: number): Candidate[] {
  const gpus: Candidate[] = [{ name: "tensorflow", gpuOnly: true }, { name: "webgpu", gpuOnly: true }];
  return [...(flops < GPU_FROM ? [] : gpus), { name: "simd" }, { name: "tensorflow" }, { name: "wasm" }, {
    name: "cpu",
  }];
}

/** A product and a sum whose results are known: a backend that gets them wrong is not trusted. */
async function selfTest(): Promise<string | null> {
  const result = tf.tidy(() => {
    const a = tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]);
    return tf.sum(tf.matMul(a, tf.transpose(a)), 1);
  });
  const values = await result.data();
  result.dispose();
  return values[0] === 46 && values[1] === 109 ? null : `its self-test gave [${values}] instead of [46, 109]`;
}

async function tryBackend(
  { name, gpuOnly }: Candidate,
  { tensorflow, threads }: SelectOptions,
): Promise<{ planner?: Planner } | { fault: string }> {
  try {
    useNative();
    const { ops, planner } = await STARTS[name].start({ tensorflow, threads, gpuOnly });
    useNative(ops);
    const fault = await selfTest();
    return fault === null ? { planner } : { fault };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Makes a backend the one that computes.
 *
 * @param wanted `auto` for the fastest that works, or a name for that one alone
 * @throws {BackendError} when none works, or the wanted one is unknown
 */
export async function selectBackend(
  wanted: string = "auto",
  options: SelectOptions = {},
): Promise<SelectedBackend> {
  const known = BACKENDS.find((name) => name === wanted);
  if (wanted !== "auto" && !known) {
    throw new BackendError(`Cannot use the backend '${wanted}': it must be auto, ${BACKENDS.join(" or ")}`);
  }
  const notes: string[] = [];
  for (const candidate of known ? [{ name: known }] : candidates(options.flops ?? 0)) {
    const tried = await tryBackend(candidate, options);
    if (!("fault" in tried)) return { name: candidate.name, notes, planner: tried.planner };
    notes.push(`${candidate.name}: ${tried.fault}`);
  }
  throw new BackendError(`No backend works. ${notes.join("; ")}`);
}
