/**
 * What the API is built from, and what travels with each request.
 *
 * @module
 */
import type { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { JobStore } from "../../jobs/store/store.ts";
import type { Inference } from "../inference/inference.ts";
import type { ApiLimits } from "./limits.ts";
import type { ApiMetrics } from "./metrics.ts";

/** A line of the log. */
export interface LogEntry {
  readonly level: "info" | "error";
  readonly message: string;
  readonly requestId: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly milliseconds: number;
  /** What went wrong, with its stack; never part of an answer. */
  readonly error?: unknown;
}

/** Host names that the service accepts, without ports. Loopback names are always accepted. */
export type HostNames = "any" | readonly string[];

/** What {@linkcode createApp} is given. */
export interface AppDeps {
  readonly jobs: JobStore;
  readonly objects: ObjectStore;
  readonly datasets: DatasetCatalogue;
  readonly inference: Inference;
  /** Overrides of single limits. */
  readonly limits?: Partial<ApiLimits>;
  /** Clock in milliseconds since 1970. */
  readonly now?: () => number;
  /** Folder for uploads on their way; the system's when absent. */
  readonly tempDir?: string;
  /** Errors go to standard error when absent. */
  readonly log?: (entry: LogEntry) => void;
  /** Names that are accepted in the Host header; any when absent. */
  readonly hosts?: HostNames;
  /** Ends event streams and waits when the service stops. */
  readonly stopping?: AbortSignal;
}

/** The dependencies with every default filled in. */
export interface Services extends Omit<AppDeps, "limits" | "now" | "log" | "hosts" | "stopping"> {
  readonly limits: ApiLimits;
  readonly now: () => number;
  readonly log: (entry: LogEntry) => void;
  readonly hosts: HostNames;
  readonly stopping: AbortSignal;
  readonly metrics: ApiMetrics;
}

/** Hono's type of what handlers find in their context. */
export interface ApiEnv {
  Variables: {
    requestId: string;
    /** The media type the answer will have. */
    accepted: string;
    /** Path pattern of the route, for metrics; absent when none matched. */
    route?: string;
    /** The error behind a 500, for the log. */
    failure?: unknown;
  };
}
