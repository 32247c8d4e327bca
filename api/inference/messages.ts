/**
 * What the API's thread and the inference worker say to each other.
 *
 * @module
 */
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { ComputeSettings } from "../../jobs/kinds/settings.ts";

/** First message to the worker. */
export interface InferenceSetup {
  readonly storage: ObjectStoreSettings;
  readonly compute: ComputeSettings;
  /** Bytes of loaded models kept. */
  readonly cacheBytes: number;
}

/** A question to the worker. */
export interface InferenceRequest {
  readonly id: number;
  readonly operation: "reconstruct" | "classify" | "embed";
  readonly checkpoint: Checkpoint;
  /** `[count, height, width, channels]`, 0 to 255. */
  readonly pixels: Uint8Array;
  readonly seed: number;
  readonly maskRatio?: number;
}

/** The worker's answer. */
export type InferenceAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };
