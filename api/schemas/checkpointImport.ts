/**
 * The fields of an import of weights.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { MAX_CLASS_NAME, MAX_CLASSES } from "../../model/formats/finishImport.ts";
import { backgroundField, resizeField } from "./image.ts";
import { SINGLE_LINE_MESSAGE, SINGLE_LINE_OR_EMPTY } from "../../data/singleLineText.ts";

const classNames = z.array(
  z.string().min(1).max(MAX_CLASS_NAME).regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE),
).min(1).max(MAX_CLASSES).describe(
  "Names of a classifier's classes, one for each row of its head, in place of those in the files. A data set is matched " +
    "to a classifier by the names of its classes",
);

/** Text fields of `POST /v1/checkpoints`. */
export const importFields = z.strictObject({
  name: z.string().min(1).max(128).regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE).optional().describe(
    "A name of your choice; by default that of the repository or the file",
  ),
  resize: resizeField.optional().describe(
    `${resizeField.description}. By default that of the model's files, else \`crop\``,
  ),
  background: backgroundField.optional(),
  class_names: classNames.optional(),
});

/** The JSON body of `POST /v1/checkpoints`. */
export const checkpointUrlSchema = importFields.extend({
  url: z.string().min(1).regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE).describe(
    "Address of weights on a host that the service allows: a `.safetensors` file, a `model.safetensors.index.json`, or " +
      "a repository of Hugging Face, with `/tree/REVISION` for another revision than `main`. `config.json` and " +
      "`preprocessor_config.json` in the same folder are read as well",
  ),
}).openapi("CheckpointUrl", { example: { url: "https://huggingface.co/ORGANISATION/NAME", name: "mine" } });

/** File fields of `POST /v1/checkpoints`. */
export const IMPORT_FILES = ["weights", "index", "config", "preprocessor_config"] as const;

const binary = { type: "string", format: "binary" } as const;
const file = z.string().optional().openapi(binary);

/** The multipart body of `POST /v1/checkpoints`, for OpenAPI. */
export const checkpointUploadSchema = importFields.extend({
  class_names: z.string().optional().describe(`${classNames.description}. A list in JSON`).openapi({
    example: '["cat", "dog"]',
  }),
  weights: z.array(z.string().openapi(binary)).min(1).describe(
    "`model.safetensors`, or all files of sharded weights, each as a field of this name",
  ),
  index: file.describe("`model.safetensors.index.json` of sharded weights"),
  config: file.describe(
    "`config.json` of Hugging Face (its models need it) or timm, or one with fields of our configuration",
  ),
  preprocessor_config: file.describe(
    "`preprocessor_config.json` of Hugging Face, which has the normalisation of pixels and the resizing of images",
  ),
}).openapi("CheckpointUpload");
