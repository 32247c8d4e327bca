/**
 * The fields that all requests share, and the type of a request of any kind.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import type { DatasetRef } from "../../data/datasets/dataset.ts";
import { SINGLE_LINE_MESSAGE, SINGLE_LINE_OR_EMPTY } from "../../data/singleLineText.ts";
import type { ConfigChanges } from "../../model/adapt/adaptConfig.ts";
import type { MaeConfig } from "../../model/config.ts";
import { datasetRefSchema, reference, seedSchema } from "./datasetFields.ts";
import { JOB_LIMITS } from "./limits.ts";

const singleLine = () => z.string().regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE);

const metadata = z.record(
  singleLine().min(1).max(JOB_LIMITS.metadataKeyLength).openapi({
    not: { enum: ["__proto__", "constructor", "prototype"] },
  }),
  singleLine().max(JOB_LIMITS.metadataValueLength),
).refine((value) => Object.keys(value).length <= JOB_LIMITS.metadataKeys, {
  message: `at most ${JOB_LIMITS.metadataKeys} keys`,
}).openapi("Metadata", { maxProperties: JOB_LIMITS.metadataKeys }).default({}).describe(
  "Keys and values of your choice",
);

/** The fields of every request. */
export const commonFields = {
  dataset: datasetRefSchema,
  name: singleLine().min(1).max(JOB_LIMITS.nameLength).optional().describe("A name of your choice"),
  metadata,
  seed: seedSchema.default(0).describe("Seed of initial weights, shuffles, masks and dropout"),
};

/** The fields of a request that starts from a checkpoint. */
export const sourceFields = {
  checkpoint: reference.optional().describe("The checkpoint to start from (`ckpt_…`)"),
  job: reference.optional().describe("A job (`job_…`) whose latest checkpoint is used"),
};

/** A job's id in the examples of requests. */
export const EXAMPLE_JOB = "job_01JD0000000000000000000000";

/**
 * A validated request of any kind, in camelCase, with its defaults and its whole model configuration. The optional fields
 * are those of some kinds that the store and the API read.
 */
export interface JobRequest {
  readonly kind: string;
  readonly dataset: DatasetRef;
  readonly name?: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly checkpoint?: string;
  readonly job?: string;
  /** The whole configuration. Requests that earlier versions stored lack it if they start from a checkpoint. */
  readonly model?: MaeConfig;
  /** Changed fields of the checkpoint's configuration, until the request is resolved. */
  readonly changes?: ConfigChanges;
  /** Requests that earlier versions stored lack it. */
  readonly keep?: { readonly last: number };
}

/** An invalid field of a request, with a message for the client. */
export interface RequestIssue {
  /** The field's name in JSON. */
  readonly field: string;
  readonly message: string;
}
