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
import { checkpointIdSchema, jobIdSchema } from "./ids.ts";
import { listSchema } from "./list.ts";
import { backgroundField, resizeField } from "./image.ts";

/** A checkpoint. */
export const checkpointSchema = z.strictObject({
  id: checkpointIdSchema,
  job_id: jobIdSchema,
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
  created_at: z.iso.datetime(),
}).openapi("Checkpoint");

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
    ...rest
  } = checkpoint;
  return toWire({
    ...rest,
    ...rule,
    numClasses: classesOf(checkpoint),
    resumable: stateKey !== null && damage === undefined,
    contentUrl: `/v1/checkpoints/${checkpoint.id}/content`,
  }) as CheckpointWire;
}
