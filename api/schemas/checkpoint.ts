/**
 * Checkpoints in JSON.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { DEFAULT_PREPROCESSING } from "../../data/images/preprocessing.ts";
import { toWire } from "../../data/wire.ts";
import { classesOf } from "../../jobs/artifacts/classNames.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { checkpointIdSchema, jobIdSchema, pageLimit } from "./ids.ts";
import { listSchema } from "./list.ts";
import { backgroundField, resizeField } from "./image.ts";

const originSchema = z.strictObject({
  format: z.string().describe(
    "Library whose names the tensors had: `unmask`, `huggingface`, `meta` or `timm`",
  ),
  filename: z.string().nullable().describe("Name of the uploaded file of weights; null for a download"),
  url: z.string().nullable().describe("Address of the downloaded weights; null for an upload"),
  missing: z.array(z.string()).describe(
    "Parts of the model that the files did not contain: `decoder`, `head`",
  ),
  notes: z.array(z.string()).describe("What was ignored and what was assumed"),
}).openapi("CheckpointOrigin");

/** A checkpoint. */
export const checkpointSchema = z.strictObject({
  id: checkpointIdSchema,
  job_id: jobIdSchema.nullable().describe("The job that wrote it; null for an imported checkpoint"),
  name: z.string().nullable().describe("Name of an imported checkpoint, else null"),
  model: z.enum(["mae", "encoder", "classifier"]),
  step: z.int(),
  epoch: z.int(),
  final: z.boolean().describe("True for the checkpoint at the end of its job"),
  metrics: z.record(z.string(), z.number()),
  config: z.record(z.string(), z.unknown()).describe("The model's configuration"),
  num_classes: z.int().describe("Number of classes of a classifier, else 0"),
  class_names: z.array(z.string()).nullable().describe(
    "Class names of a classifier, else empty; null when the checkpoint's file cannot be read, and in lists when the " +
      "names are long",
  ),
  resize: resizeField,
  background: backgroundField,
  size: z.int().describe("Size of the safetensors file in bytes"),
  sha256: z.string().describe("Hexadecimal SHA-256 of the safetensors file, which is also its ETag"),
  resumable: z.boolean().describe("Whether the optimiser state is stored too"),
  content_url: z.string(),
  origin: originSchema.nullable().describe("Where an imported checkpoint comes from; null for those of jobs"),
  created_at: z.iso.datetime(),
}).openapi("Checkpoint");

/** Query of `GET /v1/checkpoints`. */
export const checkpointListQuery = z.strictObject({
  imported: z.enum(["true", "false"]).prefault("false").transform((text) => text === "true").openapi({
    type: "boolean",
    description: "`true` lists only checkpoints that were imported",
  }),
  limit: pageLimit,
  after: checkpointIdSchema.optional().openapi({ description: "Last id of the previous page" }),
});

/** A page of checkpoints. */
export const checkpointListSchema = listSchema(checkpointSchema, "CheckpointList");

/** A checkpoint in JSON. */
export type CheckpointWire = z.output<typeof checkpointSchema>;

/** Returns a checkpoint in JSON, without the keys of its objects. */
export function checkpointWire(checkpoint: Checkpoint): CheckpointWire {
  const {
    objectKey: _key,
    stateKey,
    stateSha256: _digest,
    damage,
    classes: _classes,
    rule = DEFAULT_PREPROCESSING,
    name = null,
    origin = null,
    ...rest
  } = checkpoint;
  return toWire({
    ...rest,
    name,
    origin,
    ...rule,
    numClasses: classesOf(checkpoint),
    resumable: stateKey !== null && damage === undefined,
    contentUrl: `/v1/checkpoints/${checkpoint.id}/content`,
  }) as CheckpointWire;
}
