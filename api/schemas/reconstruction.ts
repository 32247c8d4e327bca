/**
 * Requests and responses of `POST /v1/reconstructions`.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { exactlyOneOf } from "../../jobs/requests/exactlyOne.ts";
import { seedSchema } from "../../jobs/requests/datasetFields.ts";
import { maskingSchema, maskRatioSchema } from "../../jobs/requests/modelFields.ts";
import { MAX_PATCHES } from "../../model/config.ts";
import { preprocessingFields } from "./image.ts";
import { EXAMPLE, imageFields, imageFormFields, IMAGES, MAX_IMAGES, MODEL } from "./inference.ts";

/** The columns of a figure, in the order of their description. */
export const COLUMNS = [
  "original",
  "masked",
  "reconstruction",
  "reconstruction_visible",
  "error",
  "attention",
] as const;

/** A column of a figure. */
export type Column = typeof COLUMNS[number];

const DEFAULT_COLUMNS: Column[] = ["original", "masked", "reconstruction", "reconstruction_visible"];

/** Optional parts of a JSON response. */
const INCLUDES = ["images", "patches", "pred", "errors", "attention"] as const;

/** Where the masks of a reconstruction come from. Without one of the first three, they are drawn by the seed. */
export const MASK_SOURCES = ["mask", "ids_keep", "noise", "seed"] as const;

/** Adds the rule that a list has no element twice. */
function withoutRepeats<S extends z.ZodArray>(list: S): S {
  return list.superRefine((values, context) =>
    values.forEach((value, index) => {
      if (values.indexOf(value) === index) return;
      context.addIssue({ code: "custom", path: [index], message: "occurs twice in this list" });
    })
  ).openapi({ uniqueItems: true });
}

/** One number for each patch, or a list of them for each image. */
const perPatch = <S extends z.ZodType>(value: S) =>
  z.array(z.union([value, z.array(value).min(1).max(MAX_PATCHES)])).min(1).max(MAX_PATCHES).optional();

const maskFields = {
  mask_ratio: maskRatioSchema.optional().describe(
    "Share of patches to mask; by default that of the model's configuration",
  ),
  masking: maskingSchema.optional()
    .describe("How masked patches are chosen; by default as in the model's configuration"),
  seed: seedSchema.optional().openapi({ default: 0 }).describe("The same seed gives the same masks"),
  mask: perPatch(z.literal([0, 1])).describe(
    "The masks: a number for each patch, row by row, 1 = masked. One list for all images, or a list for each image. " +
      "All images keep the same number of patches",
  ),
  ids_keep: perPatch(z.int().min(0).max(MAX_PATCHES - 1)).describe(
    "The indices of the visible patches, in the order in which the encoder gets them. One list or a list for each image",
  ),
  noise: perPatch(z.number()).describe(
    "A number for each patch, as the input `noise` of Hugging Face's ViTMAE: the patches with the smallest numbers " +
      "stay visible, `mask_ratio` sets how many, and equal numbers keep the order of their patches. One list or a " +
      "list for each image",
  ),
};

const figureFields = {
  columns: withoutRepeats(z.array(z.enum(COLUMNS)).min(1).max(COLUMNS.length)).default(DEFAULT_COLUMNS)
    .describe(
      "The columns of the figure, and the `images` of a JSON response. `reconstruction_visible` has the original in " +
        "visible patches. `error` shows the root mean squared error of each patch, from 0 (violet) to 0.5 and more " +
        "(yellow), for pixels in [0, 1]. `attention` shows the attention of the class token over the patches in the " +
        "last block, with nothing masked, from 0 (violet) to the image's maximum (yellow)",
    ),
  captions: z.boolean().default(false).describe(
    "Writes the titles of the columns above them, in a PNG response",
  ),
  paste_visible: z.boolean().default(false).openapi({ deprecated: true }).describe(
    "Use the column `reconstruction_visible`. Shows the original pixels of visible patches in `reconstruction`, too",
  ),
  include: withoutRepeats(z.array(z.enum(INCLUDES)).max(INCLUDES.length)).default([]).describe(
    "Optional parts of the JSON response: the columns as base64 PNG, the predicted patches as pixels, the model's own " +
      "output, the error of each patch, the attention of the class token",
  ),
};

type Fields = z.ZodObject;

/** Adds the rules between the fields of masks: at most one source, and nothing that contradicts it. */
function checkMaskFields<S extends Fields>(schema: S): S {
  return schema.superRefine((value, context) => {
    const given = MASK_SOURCES.filter((name) => (value as Record<string, unknown>)[name] !== undefined);
    const add = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (given.length > 1) {
      add(given[1], `must be absent beside ${given[0]}: give at most one of ${MASK_SOURCES.join(", ")}`);
    }
    const [source] = given;
    if (source === undefined || source === "seed") return;
    const contradicting = source === "noise" ? ["masking"] : ["masking", "mask_ratio"];
    for (const name of contradicting) {
      if ((value as Record<string, unknown>)[name] === undefined) continue;
      add(name, `must be absent beside ${source}, which sets the masks`);
    }
  });
}

/** Body of `POST /v1/reconstructions`. */
export const reconstructionRequestSchema = checkMaskFields(exactlyOneOf(
  z.strictObject({ ...imageFields, ...maskFields, ...figureFields }),
  MODEL,
  IMAGES,
)).openapi("ReconstructionRequest", { example: { ...EXAMPLE, mask_ratio: 0.75 } });

/** A validated request for reconstructions. */
export type ReconstructionRequest = z.output<typeof reconstructionRequestSchema>;

const listOf = (values: readonly string[]) =>
  z.string().regex(new RegExp(`^\\s*(${values.join("|")})\\s*(,\\s*(${values.join("|")})\\s*)*$`)).optional()
    .describe(`One or more of ${values.join(", ")}, separated by commas`);
const jsonList = z.string().optional().describe("The list as JSON");

/** A request for reconstructions as a form, for OpenAPI. */
export const reconstructionFormSchema = exactlyOneOf(
  z.strictObject({
    ...imageFormFields,
    ...maskFields,
    mask: jsonList,
    ids_keep: jsonList,
    noise: jsonList,
    ...figureFields,
    columns: listOf(COLUMNS),
    include: listOf(INCLUDES),
  }),
  MODEL,
).openapi("ReconstructionForm");

const png = z.string().optional().describe("PNG in base64");
const numberPerPatch = z.array(z.number());
const patchValues = z.array(z.array(z.number())).optional();

/** The reconstruction of one image. */
export const reconstructedImageSchema = z.strictObject({
  index: z.int(),
  loss: z.number().describe("Mean squared error on the masked patches, in the space of `pred`"),
  mask: z.array(z.int()).describe("One number per patch, row by row: 1 = masked"),
  ids_restore: z.array(z.int())
    .describe("Permutation that returns encoded tokens and mask tokens to patch order (He et al. 2022)"),
  ids_keep: z.array(z.int()).describe("The visible patches, in the order in which the encoder got them"),
  images: z.strictObject(Object.fromEntries(COLUMNS.map((name) => [name, png])) as Record<Column, typeof png>)
    .openapi("ReconstructionPngs").optional().describe("An image for each column of the request"),
  patches: patchValues.describe(
    "Predicted patches as pixels: [0, 1] is the range of an image, and values are not clipped. Values in the order " +
      "(row, column, channel)",
  ),
  pred: patchValues.describe(
    "The model's own output, in the space of its loss: pixels that are normalised by the configuration's `normalize` and " +
      "`norm_pix_loss`",
  ),
  errors: numberPerPatch.optional().describe("Mean squared error of each patch, for pixels in [0, 1]"),
  attention: z.strictObject({
    mean: numberPerPatch.describe("The mean over the heads"),
    heads: z.array(numberPerPatch).describe("By head"),
  }).openapi("ClassTokenAttention").optional()
    .describe(
      "Attention weights of the class token over the patches, in the last block and with nothing masked",
    ),
}).openapi("ReconstructedImage");

/** Response of `POST /v1/reconstructions`. */
export const reconstructionSchema = z.strictObject({
  object: z.literal("reconstruction"),
  checkpoint: z.string(),
  mask_source: z.enum(MASK_SOURCES).describe("The field of the request that sets the masks"),
  mask_ratio: z.number().describe("That of the request or the model, or the share of the given masks"),
  masking: maskingSchema.nullable().describe("Null for masks that the request gives"),
  seed: z.int().nullable().describe("Null for masks that the request gives"),
  norm_pix_loss: z.boolean().describe(
    "Whether the model predicts patches normalised by their own statistics",
  ),
  loss: z.number().describe("Mean squared error on the masked patches of all images, in the space of `pred`"),
  ...preprocessingFields,
  data: z.array(reconstructedImageSchema).max(MAX_IMAGES),
}).openapi("Reconstruction");

/** The body of a response of `POST /v1/reconstructions`. */
export type ReconstructionWire = z.output<typeof reconstructionSchema>;
