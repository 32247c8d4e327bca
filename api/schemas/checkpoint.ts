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
import { KIND_NAMES, KINDS } from "../../jobs/kinds/mod.ts";
import type { ModelName } from "../../model/weights.ts";
import { checkpointIdSchema, jobIdSchema, pageLimit } from "./ids.ts";
import { listSchema } from "./list.ts";
import { backgroundField, resizeField } from "./image.ts";

/** The models of checkpoints. */
const MODEL_KINDS = ["mae", "encoder", "classifier"] as const satisfies readonly ModelName[];

const originSchema = z.strictObject({
  format: z.string().describe(
    "Library whose names the tensors had: `unmask`, `huggingface`, `meta` or `timm`",
  ),
  filename: z.string().describe("Name of the file of weights, the first one of several"),
  url: z.string().nullable().describe("Address of the downloaded weights; null for an upload"),
  missing: z.array(z.string()).describe(
    "Parts of the model that the files did not contain: `decoder`, `head`",
  ),
  notes: z.array(z.string()).describe("What was ignored and what was assumed"),
}).openapi("CheckpointOrigin");

const usesSchema = z.strictObject({
  jobs: z.array(z.enum(KIND_NAMES)).describe("Kinds of job that can start from it"),
  endpoints: z.array(z.string()).describe("Paths of the requests that can apply it to images"),
}).openapi("CheckpointUses");

/** A checkpoint. */
export const checkpointSchema = z.strictObject({
  id: checkpointIdSchema,
  job_id: jobIdSchema.nullable().describe("The job that wrote it; null for an imported checkpoint"),
  name: z.string().nullable().describe("Name of an imported checkpoint, else null"),
  model: z.enum(MODEL_KINDS).describe(
    "`mae` with its decoder, `classifier` with its head, or `encoder` with neither",
  ),
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
  uses: usesSchema,
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

/** The requests that apply a model to images, and the models that they accept. */
const ENDPOINTS: readonly (readonly [path: string, models: readonly ModelName[]])[] = [
  ["/v1/reconstructions", ["mae"]],
  ["/v1/classifications", ["classifier"]],
  ["/v1/embeddings", MODEL_KINDS],
];

/** Returns what a model can be used for. */
function usesOf({ model }: Pick<Checkpoint, "model">): z.output<typeof usesSchema> {
  return {
    jobs: KINDS.filter(({ sources }) => sources.includes(model)).map(({ name }) => name),
    endpoints: ENDPOINTS.filter(([, models]) => models.includes(model)).map(([path]) => path),
  };
}

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
    uses: usesOf(checkpoint),
    ...rule,
    numClasses: classesOf(checkpoint),
    resumable: stateKey !== null && damage === undefined,
    contentUrl: `/v1/checkpoints/${checkpoint.id}/content`,
  }) as CheckpointWire;
}
