/**
 * Messages between a runner and the process of a run.
 *
 * @module
 */
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import type { Checkpoint } from "../job.ts";
import type { KindEvent } from "../kinds/kind.ts";
import type { KindSettings } from "../kinds/settings.ts";
import type { JobRequest } from "../requests/commonFields.ts";

/** Starts the run. It is the first message to the process. */
export interface RunStart {
  readonly type: "run";
  readonly jobId: string;
  readonly request: JobRequest;
  readonly settings: KindSettings;
  readonly storage: ObjectStoreSettings;
  readonly resumePoints: readonly Checkpoint[];
  readonly source: Checkpoint | null;
  /** Maximum wait in an outage of object storage, in milliseconds. */
  readonly outageWaitMs: number;
}

/** Types of events that the runner answers once it has recorded them. */
export const AWAITED: ReadonlySet<KindEvent["type"]> = new Set(["fell_back", "saving", "checkpoint"]);

/** Messages to the process of a run. */
export type ToRun =
  | RunStart
  /** The oldest unanswered event of {@linkcode AWAITED} is recorded. */
  | { readonly type: "recorded" }
  /** The run must end between two steps. */
  | { readonly type: "stop" };

/** The last message of a run. */
export type LastMessage =
  | { readonly type: "ended" }
  /**
   * Object storage or the mirrors of a data set were unavailable for longer than the run may wait. `message` has the
   * cause, and `isStorage` is true for object storage.
   */
  | {
    readonly type: "unavailable";
    readonly message: string;
    readonly waitedMs: number;
    readonly isStorage: boolean;
  }
  /** `code` is null for an unexpected error. `stack` is for the log only. */
  | {
    readonly type: "failed";
    readonly code: string | null;
    readonly message: string;
    readonly stack: string;
  };

/** Messages from the process of a run. */
export type FromRun =
  /** The process has loaded its modules. It is the first message. */
  | { readonly type: "ready" }
  /** The events of the run, in order. */
  | { readonly type: "events"; readonly events: readonly KindEvent[] }
  | LastMessage;
