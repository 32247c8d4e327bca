/**
 * Messages between the API's thread and the inference worker.
 *
 * @module
 */
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { ComputeSettings } from "../../jobs/kinds/settings.ts";

/** The first message to the worker. */
export interface WorkerSetup {
  readonly storage: ObjectStoreSettings;
  readonly compute: ComputeSettings;
  /** Maximum size of the model cache, in bytes. */
  readonly cacheBytes: number;
}

/** A request to the worker. */
export interface WorkerRequest {
  readonly id: number;
  readonly operation: "reconstruct" | "classify" | "embed";
  readonly checkpoint: Checkpoint;
  /** `[count, height, width, channels]` with values from 0 to 255. */
  readonly pixels: Uint8Array;
  readonly seed: number;
  readonly maskRatio?: number;
}

/** The worker's response to the request with the same id. */
export type WorkerResponse =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: { readonly code: string; readonly message: string } };
