/**
 * The wire form of jobs, written once in zod: validation, types and OpenAPI come from here. They live in this room
 * and not in `api/` because the runner reads the same requests.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { SINGLE_LINE_MESSAGE, SINGLE_LINE_OR_EMPTY } from "../../data/singleLineText.ts";
import { checkConfig } from "../../model/checkConfig.ts";
import { CONFIG_FIELDS, type MaeConfig } from "../../model/config.ts";
import { type PresetName, PRESETS } from "../../model/presets.ts";
import { exactlyOneOf, exactlyOneRule } from "./exactlyOne.ts";
import { MAX_TRAINING_BYTES, tooLarge } from "./memory.ts";
import { type FromWire, fromWire, toWire } from "../../data/wire.ts";

/** Explicit limits of a request. */
export const JOB_LIMITS = {
  epochs: 10_000,
  steps: 100_000_000,
  batchSize: 4096,
  metadataKeys: 16,
  metadataKeyLength: 64,
  metadataValueLength: 512,
  nameLength: 128,
  digitsSize: 100_000,
  keptCheckpoints: 1000,
} as const;

const presetNames = Object.keys(PRESETS) as [PresetName, ...PresetName[]];
const presetSchema = z.enum(presetNames).openapi("ModelPreset");
/** A whole number of a model. `checkConfig` enforces the limit; the schema only documents it. */
const size = (most: number, description: string, multipleOf?: number) =>
  z.number().openapi({ type: "integer", minimum: 1, maximum: most, multipleOf, description });
const WIDTH = CONFIG_FIELDS.embedDim.maximum, HEADS = CONFIG_FIELDS.numHeads.maximum;

const modelFields = {
  image_size: size(CONFIG_FIELDS.imageSize.maximum, "Height and width of the square input, in pixels"),
  patch_size: size(CONFIG_FIELDS.patchSize.maximum, "Height and width of a patch; divides image_size"),
  in_channels: z.number().openapi({ type: "integer", enum: [1, 3], description: "1 (grey) or 3 (RGB)" }),
  embed_dim: size(WIDTH, "Width of the encoder", 2),
  depth: size(CONFIG_FIELDS.depth.maximum, "Encoder blocks"),
  num_heads: size(HEADS, "Attention heads of an encoder block; divides embed_dim"),
  decoder_embed_dim: size(WIDTH, "Width of the decoder", 2),
  decoder_depth: size(CONFIG_FIELDS.depth.maximum, "Decoder blocks"),
  decoder_num_heads: size(HEADS, "Attention heads of a decoder block; divides decoder_embed_dim"),
  mlp_ratio: z.number().openapi({
    exclusiveMinimum: 0,
    maximum: CONFIG_FIELDS.mlpRatio.maximum,
    description: "Hidden width of an MLP over its input's",
  }),
  mask_ratio: z.number().openapi({
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    description: "Share of patches masked in training",
  }),
  dropout: z.number().openapi({
    minimum: 0,
    exclusiveMaximum: 1,
    description: "Dropout probability while training",
  }),
};

/** The reader of JSON bodies refuses a NUL in any string; the schema only documents this. */
const WITHOUT_NUL = "^[^\\u0000]*$";
/** An id or a name of something that is looked up. */
export const reference = z.string().min(1).max(64).openapi({ pattern: WITHOUT_NUL });

/** The configuration for a preset's name, or for fields that override those of a preset. */
function configOf(value: PresetName | Record<string, unknown>, context: z.RefinementCtx): MaeConfig {
  const { preset, ...fields } = typeof value === "string" ? { preset: value } : value;
  const config = { ...PRESETS[preset as PresetName ?? "mnist"], ...fromWire(fields) } as MaeConfig;
  for (const issue of checkConfig(config)) {
    const [field] = Object.keys(toWire({ [issue.field]: 0 }));
    context.addIssue({ code: "custom", path: [field], message: issue.message });
  }
  return config;
}

/** A preset's name, or an object of fields that override those of a preset (`mnist` by default). */
export const modelSchema = z.union([
  presetSchema,
  z.strictObject({ preset: presetSchema.optional(), ...z.object(modelFields).partial().shape })
    .openapi("ModelFields"),
]).transform(configOf).openapi("ModelConfig", {
  description: "A preset's name (`mnist`, `vit_base`), or fields over a preset.",
  example: { preset: "mnist", mask_ratio: 0.75 },
});

const {
  mask_ratio: _ratio,
  decoder_embed_dim: _width,
  decoder_depth: _depth,
  decoder_num_heads: _heads,
  ...classifierModelFields
} = modelFields;

/** The same for a classifier, which has no masking and no decoder. */
export const classifierModelSchema = z.union([
  presetSchema,
  z.strictObject({ preset: presetSchema.optional(), ...z.object(classifierModelFields).partial().shape })
    .openapi("ClassifierModelFields"),
]).transform(configOf).openapi("ClassifierModelConfig", {
  description:
    "A preset's name (`mnist`, `vit_base`), or fields that override a preset, without those of masking and the decoder.",
  example: { preset: "mnist", depth: 6 },
});

const seed = z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0)
  .describe("Seed of initial weights, shuffles, masks and dropout");

const forDigits = { properties: { id: { const: "digits" } } };
/** JSON Schema for the rule that `size` and `seed` are allowed only for the data set `digits`. */
export const DIGITS_ONLY: object = { dependentSchemas: { size: forDigits, seed: forDigits } };

/** A data set by id or name. */
export const datasetRefSchema = z.union([
  reference.transform((id) => ({ id })),
  z.strictObject({
    id: reference,
    size: z.int().min(10).max(JOB_LIMITS.digitsSize).optional().describe("Training images (digits only)"),
    seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe(
      "Seed of the drawing (digits only)",
    ),
  }).refine((ref) => ref.id === "digits" || (ref.size === undefined && ref.seed === undefined), {
    message: "size and seed are taken for the data set 'digits' only",
  }).openapi("DatasetChoice", DIGITS_ONLY),
]).openapi("DatasetRef", {
  example: "digits",
  description: "A data set's id or name, or an object with it.",
});

const metadata = z.record(
  z.string().min(1).max(JOB_LIMITS.metadataKeyLength).regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE)
    .openapi({
      not: { enum: ["__proto__", "constructor", "prototype"] },
    }),
  z.string().max(JOB_LIMITS.metadataValueLength).regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE),
).refine((value) => Object.keys(value).length <= JOB_LIMITS.metadataKeys, {
  message: `at most ${JOB_LIMITS.metadataKeys} keys`,
}).openapi("Metadata", { maxProperties: JOB_LIMITS.metadataKeys }).default({}).describe(
  "Your own keys and values",
);

const common = {
  dataset: datasetRefSchema,
  name: z.string().min(1).max(JOB_LIMITS.nameLength).regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE)
    .optional(),
  metadata,
  seed,
};

const training = {
  epochs: z.int().min(1).max(JOB_LIMITS.epochs).optional()
    .describe("When absent: the number that `max_steps` needs, or 1"),
  max_steps: z.int().min(1).max(JOB_LIMITS.steps).optional()
    .describe("Optimiser steps of the run; with `epochs` given too, it ends at the smaller limit"),
  batch_size: z.int().min(1).max(JOB_LIMITS.batchSize).default(128),
  drop_last: z.boolean().default(true),
  weight_decay: z.number().min(0).max(10).default(0.05),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]),
  eps: z.number().min(1e-12).max(1).default(1e-8),
  schedule: z.enum(["constant", "cosine"]).openapi("Schedule").default("constant"),
  warmup_epochs: z.number().min(0).max(JOB_LIMITS.epochs).default(0),
  min_lr: z.number().min(0).max(10).default(0).describe("Final learning rate of the schedule `cosine`"),
  checkpoint_every: z.strictObject({
    epochs: z.int().min(1).max(JOB_LIMITS.epochs).optional(),
    steps: z.int().min(1).max(JOB_LIMITS.steps).optional(),
  }).refine((every) => (every.epochs === undefined) !== (every.steps === undefined), {
    message: "give either epochs or steps",
  }).openapi("CheckpointEvery", exactlyOneRule(["epochs", "steps"])).default({ epochs: 1 }).describe(
    "How often a checkpoint is written, in addition to the one at the end",
  ),
  keep: z.strictObject({ last: z.int().min(1).max(JOB_LIMITS.keptCheckpoints) }).openapi("KeepCheckpoints")
    .default({ last: 10 }).describe(
      "How many checkpoints the job keeps: older ones are deleted, except those that another unfinished job starts from",
    ),
};
const lr = (rate: number) => z.number().min(1e-12).max(10).default(rate).describe("Learning rate");
const source = {
  checkpoint: reference.optional().describe("A checkpoint to start from (`ckpt_…`)"),
  job: reference.optional().describe("A job (`job_…`); its latest checkpoint is used"),
};

const pretrainSchema = z.strictObject({
  kind: z.literal("pretrain"),
  ...common,
  model: modelSchema.prefault("mnist"),
  lr: lr(1.5e-4),
  ...training,
}).openapi("PretrainRequest", { example: { kind: "pretrain", dataset: "digits", epochs: 2 } });

const classifierFields = {
  ...common,
  ...source,
  model: classifierModelSchema.optional().describe(
    "Only without checkpoint and job: train from random weights",
  ),
  lr: lr(1e-3),
  ...training,
};
const EXAMPLE_JOB = "job_01JD0000000000000000000000";
const START = ["checkpoint", "job", "model"];
const finetuneSchema = exactlyOneOf(
  z.strictObject({ kind: z.literal("finetune"), ...classifierFields }),
  START,
).openapi("FinetuneRequest", {
  example: { kind: "finetune", job: EXAMPLE_JOB, dataset: "digits", epochs: 2 },
});
const linearProbeSchema = exactlyOneOf(
  z.strictObject({ kind: z.literal("linear_probe"), ...classifierFields }),
  START,
).openapi("LinearProbeRequest", {
  example: { kind: "linear_probe", job: EXAMPLE_JOB, dataset: "digits" },
});
const evaluateFields = z.strictObject({
  kind: z.literal("evaluate"),
  ...common,
  ...source,
  split: z.enum(["train", "test"]).default("test"),
  batch_size: z.int().min(1).max(JOB_LIMITS.batchSize).default(128),
  mask_ratio: z.number().gt(0).lt(1).optional().describe("For an MAE; the model's own when absent"),
});
const evaluateSchema = exactlyOneOf(evaluateFields, ["checkpoint", "job"]).openapi("EvaluateRequest", {
  example: { kind: "evaluate", job: EXAMPLE_JOB, dataset: "digits" },
});

/**
 * Returns the schema of the body of `POST /v1/jobs`. Parsing fills every default and resolves the model.
 *
 * @param maxTrainingBytes limit of a training step's estimated memory
 */
export const jobRequestSchema = (maxTrainingBytes: number = MAX_TRAINING_BYTES) =>
  z.discriminatedUnion("kind", [
    pretrainSchema,
    finetuneSchema,
    linearProbeSchema,
    evaluateSchema,
  ]).superRefine((request, context) => {
    const wrong = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (request.kind === "evaluate") return;
    const epochs = request.epochs ?? (request.max_steps === undefined ? 1 : Infinity);
    if (request.warmup_epochs > epochs) {
      wrong(["warmup_epochs"], `must not be above epochs: ${request.warmup_epochs} > ${epochs}`);
    }
    if (request.min_lr > 0 && request.schedule === "constant") {
      wrong(["min_lr"], "is the final learning rate of the schedule 'cosine': leave it out for 'constant'");
    }
    if (request.kind === "linear_probe" && request.model !== undefined && request.model.dropout > 0) {
      wrong(["model", "dropout"], "must be 0: the encoder of a linear probe is not trained");
    }
    if (request.min_lr > request.lr) {
      wrong(["min_lr"], `must not be above lr: ${request.min_lr} > ${request.lr}`);
    }
    if (request.model !== undefined) {
      const fault = tooLarge(
        request.model,
        request.batch_size,
        request.kind === "pretrain",
        maxTrainingBytes,
      );
      if (fault) wrong(["batch_size"], fault);
    }
  }).transform((request) =>
    request.kind === "evaluate" || request.epochs !== undefined || request.max_steps !== undefined
      ? request
      : { ...request, epochs: 1 }
  ).openapi("JobRequest");

/** The kinds of job. */
export type JobKind = "pretrain" | "finetune" | "linear_probe" | "evaluate";

/** A checked request as the house handles it: camelCase, defaults filled, the model resolved. */
export type JobRequest = FromWireUnion<z.output<ReturnType<typeof jobRequestSchema>>>;
type FromWireUnion<T> = T extends unknown ? FromWire<T> : never;

/** A request of one kind. */
export type RequestOf<K extends JobKind> = Extract<JobRequest, { kind: K }>;
