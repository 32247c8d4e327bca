/**
 * A kind of job: its definition, the context of its runs, and the events that they yield.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import type { DatasetInfo, SplitName } from "../../data/datasets/dataset.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { FromWire } from "../../data/wire.ts";
import type { MaeConfig } from "../../model/config.ts";
import type { TrainableModel } from "../../model/memory.ts";
import type { Architecture, ModelName } from "../../model/weights.ts";
import type { Checkpoint, EpochPoint, Fallback, JobBackend, StepPoint } from "../job.ts";
import type { JobRequest, RequestIssue } from "../requests/commonFields.ts";
import type { KindSettings } from "./settings.ts";

/** The input of a run. */
export interface KindContext<R extends JobRequest = JobRequest> {
  readonly jobId: string;
  readonly request: R;
  readonly settings: KindSettings;
  readonly store: ObjectStore;
  /** Checkpoints of earlier attempts, newest first. The run resumes from the first that is not damaged. */
  readonly resumePoints: readonly Checkpoint[];
  /** The checkpoint that the request names (`request.checkpoint`); null for none. */
  readonly source: Checkpoint | null;
  /** Aborted when the job is cancelled or its runner shuts down. Runs check it between steps. */
  readonly signal: AbortSignal;
  /**
   * Resolves when the runner has recorded the events `saving` and `checkpoint` that were emitted so far. Without a
   * runner there is nothing to wait for.
   */
  readonly recorded?: () => Promise<void>;
}

/** An event of a run, structured-clonable. The last event of a run is `result`. */
export type KindEvent =
  | {
    readonly type: "started";
    readonly backend: JobBackend;
    readonly totalSteps: number;
    readonly stepsPerEpoch: number;
    /** Step of the checkpoint from which the run resumes; 0 at the beginning. The loss series is cut there. */
    readonly step: number;
    readonly parameters: number;
  }
  /** After every optimiser step, or every batch of `evaluate`. `images` is the number of its images. */
  | { readonly type: "step"; readonly images: number } & StepPoint
  /** Consecutive small steps of one epoch. `images` is the number of their images. */
  | { readonly type: "steps"; readonly images: number; readonly steps: readonly StepPoint[] }
  /** Before the steps of a linear probe: the features of `images` of `total` images are computed. */
  | { readonly type: "features"; readonly images: number; readonly total: number }
  /** After the last step of an epoch. */
  | { readonly type: "epoch" } & EpochPoint
  /** Newer checkpoints are damaged. The run continues once the runner has recorded the fallback. */
  | { readonly type: "fell_back" } & Fallback
  /** Sent before the objects of a checkpoint are written. The run writes them once the runner has recorded their keys. */
  | { readonly type: "saving"; readonly objectKeys: readonly string[] }
  /** Sent once both objects are stored and read back. The runner then commits the row. */
  | { readonly type: "checkpoint"; readonly checkpoint: Omit<Checkpoint, "createdAt"> }
  | { readonly type: "log"; readonly level: "info" | "warning"; readonly message: string }
  | { readonly type: "result"; readonly result: Readonly<Record<string, unknown>> };

/** The model that a kind trains. */
export interface TrainedModel {
  readonly model: "mae" | "classifier";
  /** True if only the head of a classifier is trained. */
  readonly freezeEncoder: boolean;
}

/** Returns the model that a kind trains on a data set. */
export function trainedModel(
  { model, freezeEncoder }: TrainedModel,
  config: MaeConfig,
  classes: number,
): TrainableModel {
  const architecture: Architecture = model === "mae" ? { model } : { model, classes };
  return { config, architecture, freezeEncoder };
}

/** The data set and the checkpoint that a request names. */
export interface ResolvedReferences {
  readonly dataset: DatasetInfo;
  readonly source: Checkpoint;
  /** Class names of the checkpoint; empty for a masked autoencoder. */
  readonly classNames: readonly string[];
}

/** The request type of a schema: its output in camelCase. */
export type RequestFor<Schema extends z.ZodType> = FromWire<z.output<Schema>> & JobRequest;

/** A kind of job. */
export interface Kind<
  Name extends string = string,
  Schema extends z.ZodType = z.ZodType,
  Request extends JobRequest = JobRequest,
> {
  readonly name: Name;
  /** The request in JSON. Its field `kind` is the name. */
  readonly schema: Schema;
  /** Models of the checkpoints that a job can start from. */
  readonly sources: readonly ModelName[];
  /** Null for a kind that trains nothing. Requests of a kind that trains have the fields of a recipe. */
  readonly trains: TrainedModel | null;
  /** Returns the splits that a run reads. */
  splits(request: Request): readonly SplitName[];
  /** Returns why a request does not fit its data set and checkpoint, or null if it does. */
  check?(request: Request, references: ResolvedReferences): RequestIssue | null;
  /**
   * Runs a job. A {@linkcode JobFailure} fails it. Modules that compute are imported here, so that the API, which only
   * validates requests, does not load them.
   */
  run(context: KindContext<Request>): AsyncGenerator<KindEvent, void>;
}

/** Returns a kind, with the types of its requests derived from its schema. */
export function defineKind<const Name extends string, Schema extends z.ZodType<{ kind: Name }>>(
  kind: Kind<Name, Schema, RequestFor<Schema>>,
): Kind<Name, Schema, RequestFor<Schema>> {
  return kind;
}
