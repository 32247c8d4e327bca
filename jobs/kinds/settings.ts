/**
 * Settings of the process that a kind of job depends on.
 *
 * @module
 */
import type { VectorBits, VectorSetting } from "../../model/backends/simd/vectorFlags.ts";
import { type DatasetSettings, DEFAULT_DATASET_SETTINGS } from "../../data/datasets/settings.ts";

/** The backend, its threads and its vectors. Structured-clonable, because children receive it in a message. */
export interface ComputeSettings {
  /** `auto` for the fastest backend that works, or the name of a backend. */
  readonly backend: string;
  /** Number of threads of a training step. */
  readonly threads: number;
  /** Maximum memory of a planned training step, in bytes. @default what the backend can address */
  readonly maxBytes?: number;
  /** URL of the folder of TensorFlow's native library, which may be missing. */
  readonly tensorflow?: string;
  /** How the width of the vectors of our WebAssembly kernels is chosen. @default 128 */
  readonly vectors?: VectorSetting;
  /** Path of the file that remembers the choice. */
  readonly vectorsFile?: string;
  /** The chosen width. The parent of a process that computes sets it. @default 128 */
  readonly vectorBits?: VectorBits;
  /** Why the width is not 256; absent if it is, or if the setting is 128. */
  readonly vectorNote?: string;
}

/** The fastest backend on all cores, without TensorFlow's native library. */
export const DEFAULT_COMPUTE: ComputeSettings = { backend: "auto", threads: navigator.hardwareConcurrency };

/** Default limit of the features that a linear probe keeps in memory, in bytes. */
export const DEFAULT_MAX_FEATURE_BYTES = 2 ** 30;

/** Settings of a run. Structured-clonable, because the runner sends them to the run's process. */
export interface KindSettings {
  readonly compute: ComputeSettings;
  readonly datasets: DatasetSettings;
  /** Maximum memory for the features of a linear probe, in bytes. More features are computed in every epoch. */
  readonly maxFeatureBytes: number;
}

/** The default of each setting of a run. */
export const DEFAULT_KIND_SETTINGS: KindSettings = {
  compute: DEFAULT_COMPUTE,
  datasets: DEFAULT_DATASET_SETTINGS,
  maxFeatureBytes: DEFAULT_MAX_FEATURE_BYTES,
};
