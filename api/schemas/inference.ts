/**
 * Requests and responses of the inference routes.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { exactlyOneOf } from "../../jobs/requests/exactlyOne.ts";
import { EXAMPLE_JOB } from "../../jobs/requests/commonFields.ts";
import { digitsFields, digitsOnly, reference, splitSchema } from "../../jobs/requests/datasetFields.ts";
import { CONFIG_FIELDS } from "../../model/config.ts";
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

/** The fields of a request that name a model and images. */
export const imageFields = {
  checkpoint: checkpointIdSchema.optional().describe("The checkpoint of the model"),
  job: jobIdSchema.optional().describe("The job whose latest checkpoint is used"),
  pictures: z.array(z.string().min(1).openapi({ pattern: BASE64 })).min(1).max(MAX_IMAGES).optional()
    .describe("PNG or JPEG in base64, bare or as a data URL"),
  dataset: datasetImages.optional().describe("Images of a data set, instead of `pictures`"),
  ...preprocessing,
};

/** An example of these fields. */
export const EXAMPLE = { job: EXAMPLE_JOB, dataset: { id: "digits", indices: [0, 1] } };
/** Of each list, a request has exactly one field. */
export const MODEL = ["checkpoint", "job"], IMAGES = ["pictures", "dataset"];

/** Body of `POST /v1/classifications`. */
export const inferenceSchema = exactlyOneOf(z.strictObject(imageFields), MODEL, IMAGES).openapi(
  "InferenceRequest",
  { example: EXAMPLE },
);

const poolFields = {
  pool: z.enum(CONFIG_FIELDS.pool.enum).optional().describe(
    "The mean over the patch tokens, or the class token; by default as in the model's configuration",
  ),
};

/** Body of `POST /v1/embeddings`. */
export const embeddingRequestSchema = exactlyOneOf(
  z.strictObject({ ...imageFields, ...poolFields }),
  MODEL,
  IMAGES,
).openapi("EmbeddingRequest", { example: EXAMPLE });

/** A validated inference request. */
export type InferenceRequest = z.output<typeof inferenceSchema>;

const file = z.string().openapi({ type: "string", format: "binary" });

/** The same fields in a form. */
export const imageFormFields = {
  checkpoint: imageFields.checkpoint,
  job: imageFields.job,
  pictures: z.array(file).min(1).max(MAX_IMAGES).describe("PNG or JPEG files"),
  ...preprocessing,
};

/** A request as a form, for OpenAPI: the images are files. */
export const inferenceFormSchema = exactlyOneOf(z.strictObject(imageFormFields), MODEL).openapi(
  "InferenceForm",
);

/** A request for embeddings as a form, for OpenAPI. */
export const embeddingFormSchema = exactlyOneOf(z.strictObject({ ...imageFormFields, ...poolFields }), MODEL)
  .openapi("EmbeddingForm");

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
  dimensions: z.int().describe("Number of values of an embedding"),
  pool: z.enum(CONFIG_FIELDS.pool.enum).describe(
    "What the embeddings are: the mean over the patch tokens, or the class token",
  ),
  ...preprocessingFields,
  data: z.array(z.strictObject({ index: z.int(), embedding: z.array(z.number()) }).openapi("Embedding")),
}).openapi("Embeddings");
