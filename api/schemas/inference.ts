/**
 * Requests and responses of the inference routes.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { exactlyOneOf } from "../../jobs/requests/exactlyOne.ts";
import { EXAMPLE_JOB } from "../../jobs/requests/commonFields.ts";
import {
  digitsFields,
  digitsOnly,
  reference,
  seedSchema,
  splitSchema,
} from "../../jobs/requests/datasetFields.ts";
import { maskRatioSchema } from "../../jobs/requests/modelFields.ts";
import { checkpointIdSchema, jobIdSchema } from "./ids.ts";
import { backgroundField, preprocessingFields, resizeField } from "./image.ts";

/** Maximum number of images of a request. Models with large images have a lower one (`imageValues`). */
export const MAX_IMAGES = 512;

const datasetImages = digitsOnly(
  z.strictObject({
    id: reference,
    split: splitSchema.default("test"),
    indices: z.array(z.int().min(0).max(0xffff_ffff)).min(1).max(MAX_IMAGES),
    ...digitsFields,
  }),
  "DatasetImages",
);

/** Pattern of the base64 that the decoder accepts: with white space, and with or without padding. */
const BASE64 = "^(data:image/(png|jpeg);base64,)?[A-Za-z0-9+/\\s]*(=\\s*){0,2}$";

/** The defaults are those of the data set, or for other images those of the model's training data. */
const preprocessing = { resize: resizeField.optional(), background: backgroundField.optional() };

const commonFields = {
  checkpoint: checkpointIdSchema.optional().describe("The checkpoint of the model"),
  job: jobIdSchema.optional().describe("The job whose latest checkpoint is used"),
  pictures: z.array(z.string().min(1).openapi({ pattern: BASE64 })).min(1).max(MAX_IMAGES).optional()
    .describe("PNG or JPEG in base64, bare or as a data URL"),
  dataset: datasetImages.optional().describe("Images of a data set, instead of `pictures`"),
  ...preprocessing,
};

const EXAMPLE = { job: EXAMPLE_JOB, dataset: { id: "digits", indices: [0, 1] } };
const MODEL = ["checkpoint", "job"], IMAGES = ["pictures", "dataset"];

/** Body of `POST /v1/classifications` and `POST /v1/embeddings`. */
export const inferenceSchema = exactlyOneOf(z.strictObject(commonFields), MODEL, IMAGES).openapi(
  "InferenceRequest",
  { example: EXAMPLE },
);

const reconstructionFields = {
  mask_ratio: maskRatioSchema.optional().describe(
    "Share of patches to mask; by default that of the model's configuration",
  ),
  seed: seedSchema.default(0).describe("The same seed gives the same masks"),
  paste_visible: z.boolean().default(false)
    .describe("Shows the original pixels of visible patches, and the reconstruction of masked patches only"),
};

/** Body of `POST /v1/reconstructions`. */
export const reconstructionRequestSchema = exactlyOneOf(
  z.strictObject({
    ...commonFields,
    ...reconstructionFields,
    include: z.array(z.enum(["images", "patches"])).max(2).default([])
      .describe("Optional parts of the JSON response: images as base64 PNG, predicted patches as numbers"),
  }),
  MODEL,
  IMAGES,
).openapi("ReconstructionRequest", { example: { ...EXAMPLE, mask_ratio: 0.75 } });

/** A validated inference request. */
export type InferenceRequest = z.output<typeof inferenceSchema>;

const file = z.string().openapi({ type: "string", format: "binary" });

const formFields = {
  checkpoint: commonFields.checkpoint,
  job: commonFields.job,
  pictures: z.array(file).min(1).max(MAX_IMAGES).describe("PNG or JPEG files"),
  ...preprocessing,
};

/** A request as a form, for OpenAPI: the images are files. */
export const inferenceFormSchema = exactlyOneOf(z.strictObject(formFields), MODEL).openapi("InferenceForm");

/** A request for reconstructions as a form, for OpenAPI. */
export const reconstructionFormSchema = exactlyOneOf(
  z.strictObject({
    ...formFields,
    ...reconstructionFields,
    include: z.string().regex(/^\s*(images|patches)\s*(,\s*(images|patches)\s*)?$/).optional()
      .describe("`images`, `patches`, or both separated by a comma"),
  }),
  MODEL,
).openapi("ReconstructionForm");

const png = z.string().describe("PNG in base64");

/** Response of `POST /v1/reconstructions`. */
export const reconstructionSchema = z.strictObject({
  object: z.literal("reconstruction"),
  checkpoint: z.string(),
  mask_ratio: z.number(),
  seed: z.int(),
  loss: z.number().describe("Mean squared error on the masked patches of all images"),
  ...preprocessingFields,
  data: z.array(
    z.strictObject({
      index: z.int(),
      loss: z.number(),
      mask: z.array(z.int()).describe("One number per patch, row by row: 1 = masked"),
      ids_restore: z.array(z.int())
        .describe("Permutation that returns encoded tokens and mask tokens to patch order (He et al. 2022)"),
      images: z.strictObject({ original: png, masked: png, reconstruction: png })
        .openapi("ReconstructionPngs").optional(),
      patches: z.array(z.array(z.number())).optional()
        .describe("Predicted patches, values in the order (row, column, channel), not clipped"),
    }).openapi("ReconstructedImage"),
  ),
}).openapi("Reconstruction");

/** Response of `POST /v1/classifications`. */
export const classificationSchema = z.strictObject({
  object: z.literal("list"),
  checkpoint: z.string(),
  class_names: z.array(z.string()),
  ...preprocessingFields,
  data: z.array(
    z.strictObject({
      index: z.int(),
      label: z.int().describe("Index of the class in `class_names`"),
      class_name: z.string(),
      probability: z.number(),
      probabilities: z.array(z.number()).describe("In the order of `class_names`"),
    }).openapi("Classification"),
  ),
}).openapi("Classifications");

/** Response of `POST /v1/embeddings`. */
export const embeddingSchema = z.strictObject({
  object: z.literal("list"),
  checkpoint: z.string(),
  dimensions: z.int(),
  ...preprocessingFields,
  data: z.array(z.strictObject({ index: z.int(), embedding: z.array(z.number()) }).openapi("Embedding")),
}).openapi("Embeddings");
