/**
 * Picks what computes: the fastest backend that works, and says which it is and why others were passed over.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import "@tensorflow/tfjs-backend-wasm";
import { useNative } from "../ops/native.ts";
import { installKernels } from "./simd/kernels.ts";
import { SIMD_OPS } from "./simd/ops.ts";

// Without it the cpu backend prints advice about Node.js at its first use.
tf.enableProdMode();

/** Backends from the fastest to the one that always works. */
export const BACKENDS = ["simd", "wasm", "cpu"] as const;
/** Name of a backend. */
export type BackendName = typeof BACKENDS[number];

/** The backend in use. */
export interface SelectedBackend {
  readonly name: BackendName;
  /** A line for each backend that was passed over. */
  readonly notes: readonly string[];
}

/** No backend could be used; the message says why for each. */
export class BackendError extends Error {
  override readonly name = "BackendError";
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

async function tryBackend(name: BackendName): Promise<string | null> {
  try {
    useNative();
    if (!await tf.setBackend(name === "simd" ? "wasm" : name)) return "it did not start";
    await tf.ready();
    if (name === "simd") {
      installKernels();
      useNative(SIMD_OPS);
    }
    return await selfTest();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Makes a backend the one that computes.
 *
 * @param wanted `auto` for the fastest that works, or a name for that one alone
 * @throws {BackendError} when none works, or the wanted one is unknown
 */
export async function selectBackend(wanted: string = "auto"): Promise<SelectedBackend> {
  const candidates = wanted === "auto" ? BACKENDS : BACKENDS.filter((name) => name === wanted);
  if (candidates.length === 0) {
    throw new BackendError(`Cannot use the backend '${wanted}': it must be auto, ${BACKENDS.join(" or ")}`);
  }
  const notes: string[] = [];
  for (const name of candidates) {
    const fault = await tryBackend(name);
    if (fault === null) return { name, notes };
    notes.push(`${name}: ${fault}`);
  }
  throw new BackendError(`No backend works. ${notes.join("; ")}`);
}
