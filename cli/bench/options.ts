/**
 * Options of the benchmarks.
 *
 * @module
 */
import { MODELS } from "./models.ts";
import type { Subject } from "./engine.ts";

/** Options of the command line, for `parseArgs`. */
export const OPTIONS = {
  config: { type: "string", default: "mnist" },
  backend: { type: "string", default: "simd" },
  threads: { type: "string", default: String(navigator.hardwareConcurrency) },
  batch: { type: "string" },
  steps: { type: "string", default: "20" },
  rounds: { type: "string", default: "3" },
  images: { type: "string", default: "1" },
  python: { type: "string", default: "python3" },
  modes: { type: "string", default: "eager,fused,compile" },
  mnist: { type: "string" },
  epochs: { type: "string" },
  jobs: { type: "string", default: "10000" },
  listeners: { type: "string", default: "256" },
  seconds: { type: "string", default: "10" },
  kv: { type: "string" },
  vectors: { type: "string", default: "auto" },
  // Width in a process that has been started with the flags for it; see `vectors.ts`.
  "vector-bits": { type: "string" },
  json: { type: "boolean", default: false },
} as const;

/** Values of the command line. */
export type BenchOptions =
  & { readonly [name in "config" | "backend" | "python" | "modes" | "vectors"]: string }
  & { readonly [name in IntegerOption]?: string }
  & { readonly [name in "mnist" | "kv" | "vector-bits"]?: string }
  & { readonly json: boolean };

type IntegerOption =
  | "threads"
  | "batch"
  | "steps"
  | "rounds"
  | "images"
  | "epochs"
  | "jobs"
  | "listeners"
  | "seconds";

/** An invalid option, or a missing program that an option names. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}

/** Parses an option that is a whole number. @throws {BenchError} */
export function integerOption(options: BenchOptions, name: IntegerOption, fallback = 1): number {
  const text = options[name] ?? String(fallback);
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new BenchError(`--${name} must be a whole number from 1 up: current value is '${text}'`);
}

/** Returns the model, backend, threads and batch size of the options. @throws {BenchError} */
export function subjectOf(options: BenchOptions): Subject {
  if (!Object.hasOwn(MODELS, options.config)) {
    throw new BenchError(`--config must be ${Object.keys(MODELS).join(" or ")}`);
  }
  const model = options.config as Subject["model"];
  const batch = integerOption(options, "batch", model === "mnist" ? 128 : 4);
  const vectorBits = options["vector-bits"] === "256" ? 256 : 128;
  return { model, backend: options.backend, threads: integerOption(options, "threads"), batch, vectorBits };
}
