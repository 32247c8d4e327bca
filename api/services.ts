/**
 * The dependencies of the API.
 *
 * @module
 */
import type { DatasetCatalogue } from "../data/datasets/catalogue.ts";
import type { ObjectStore } from "../data/objects/store.ts";
import type { RemoteSettings } from "../data/remote/request.ts";
import type { JobStore } from "../jobs/store/store.ts";
import type { LogEntry } from "./http/context.ts";
import type { ConcurrencyLimit } from "./http/concurrencyLimit.ts";
import type { HostNames } from "./http/host.ts";
import type { ApiLimits } from "./http/limits.ts";
import type { ApiMetrics } from "./http/metrics.ts";
import type { Inference } from "./inference/inference.ts";

/** The arguments of `createApp`. */
export interface AppDeps {
  readonly jobs: JobStore;
  readonly objects: ObjectStore;
  readonly datasets: DatasetCatalogue;
  readonly inference: Inference;
  /** Replaces single limits of `DEFAULT_LIMITS`. */
  readonly limits?: Partial<ApiLimits>;
  /** Returns the time in milliseconds since 1970; `Date.now` by default. */
  readonly now?: () => number;
  /** Folder for uploads while they are received; the system's temporary folder by default. */
  readonly tempDir?: string;
  /** Hosts from which weights may be downloaded; none by default. */
  readonly remote?: RemoteSettings;
  /** Receives one entry per request. By default, failures are written to standard error. */
  readonly log?: (entry: LogEntry) => void;
  /** Names that are accepted in the Host header; any by default. */
  readonly hosts?: HostNames;
  /** Ends event streams and `Prefer: wait` when the service stops. */
  readonly stopping?: AbortSignal;
}

/** The dependencies with all defaults filled in. */
export interface Services extends Required<Omit<AppDeps, "limits" | "tempDir" | "remote">> {
  readonly limits: ApiLimits;
  readonly tempDir?: string;
  readonly remote?: RemoteSettings;
  readonly metrics: ApiMetrics;
  readonly uploads: ConcurrencyLimit;
  readonly imports: ConcurrencyLimit;
  readonly downloads: ConcurrencyLimit;
  readonly exports: ConcurrencyLimit;
}
