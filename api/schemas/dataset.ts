/**
 * Data sets in JSON, and the fields of an upload.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { SINGLE_LINE_MESSAGE, SINGLE_LINE_OR_EMPTY } from "../../data/singleLineText.ts";
import { FOLDER_MODES } from "../../data/datasets/layout/assignSplits.ts";
import { toWire } from "../../data/wire.ts";
import { type DatasetInfo, SKIP_REASONS } from "../../data/datasets/dataset.ts";
import { namesForRow } from "../../jobs/artifacts/classNames.ts";
import { splitSchema } from "../../jobs/requests/datasetFields.ts";
import { exactlyOneOf } from "../../jobs/requests/exactlyOne.ts";
import { datasetIdSchema, pageLimit, wholeNumber } from "./ids.ts";
import { listSchema } from "./list.ts";
import { backgroundField, preprocessingFields, resizeField } from "./image.ts";

const split = z.strictObject({ count: z.int().min(0) }).openapi("DatasetSplit");

const layout = z.strictObject({
  folders: z.array(z.strictObject({
    folder: z.string().describe("Path in the archive; . for the whole archive"),
    split: splitSchema,
    count: z.int().min(0).describe("Number of its images, including held-out images"),
  })),
  passed_over: z.array(z.strictObject({
    reason: z.enum(SKIP_REASONS),
    count: z.int().min(1),
    example: z.string().describe("Path of the first such file"),
  })),
}).openapi("ArchiveLayout");

/** A data set. */
export const datasetSchema = z.strictObject({
  id: datasetIdSchema,
  name: z.string(),
  source: z.enum(["builtin", "upload"]),
  format: z.enum(["raw", "encoded"]),
  height: z.int().nullable(),
  width: z.int().nullable(),
  channels: z.literal([1, 3]),
  splits: z.strictObject({ train: split, test: split }),
  labelled: z.boolean(),
  num_classes: z.int(),
  class_names: z.array(z.string()).nullable().describe("Null in lists when the names are long"),
  ...preprocessingFields,
  size: z.int().describe("Stored size in bytes"),
  layout: layout.nullable().describe(
    "How the folders of an archive were read; null for IDX files and built-in data sets",
  ),
  created_at: z.iso.datetime(),
}).openapi("Dataset");

const damagedSchema = z.strictObject({
  id: datasetIdSchema,
  message: z.string().describe("What is wrong with it"),
}).openapi("DamagedDataset");

/** A page of data sets. */
export const datasetListSchema = z.strictObject({
  ...listSchema(datasetSchema, "DatasetList").shape,
  damaged: z.array(damagedSchema)
    .describe("Data sets in the range of this page whose description cannot be read; they can be deleted"),
}).openapi("DatasetList");

/** Query of `GET /v1/datasets`. */
export const datasetListQuery = z.strictObject({ limit: pageLimit, after: datasetIdSchema.optional() });

const heldOut = z.string()
  .refine((text) => /^(0|0?\.\d{1,6})$/.test(text) && Number(text) <= 0.5, {
    error: ({ input }) =>
      `must be a number from 0 to 0.5, such as 0.1: current value is '${String(input).slice(0, 40)}'`,
  })
  .transform(Number);

/** Text fields of `POST /v1/datasets`. */
export const datasetFields = z.strictObject({
  name: z.string().min(1).max(128).regex(SINGLE_LINE_OR_EMPTY, SINGLE_LINE_MESSAGE).optional(),
  held_out: heldOut.optional().openapi({ type: "number", minimum: 0, maximum: 0.5 }),
  seed: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional(),
  resize: resizeField.optional(),
  background: backgroundField.optional(),
  folders: z.enum(FOLDER_MODES).optional().describe(
    "How to read an archive in which some top folders are named like splits and others are not: read only the " +
      "splits, or read each folder as a class. By default such an archive is rejected. Leave it out for IDX files",
  ),
});

/** File fields of `POST /v1/datasets`. */
export const DATASET_FILES = [
  "train_images",
  "train_labels",
  "test_images",
  "test_labels",
  "archive",
] as const;

const file = z.string().optional().openapi({ type: "string", format: "binary" });

/** JSON Schema for files that require other files. */
const COMPANIONS: object = {
  dependentRequired: {
    train_labels: ["train_images"],
    test_images: ["train_images"],
    test_labels: ["test_images", "train_labels"],
  },
};

/** The multipart body of `POST /v1/datasets`, for OpenAPI. */
export const datasetUploadSchema = exactlyOneOf(
  datasetFields.extend({
    train_images: file.describe("IDX images, gzipped or not"),
    train_labels: file.describe(
      "IDX labels: integers of any type, or QMNIST's rows; the numbers that occur are the class names",
    ),
    test_images: file.describe("IDX images of the test split"),
    test_labels: file.describe("IDX labels"),
    archive: file.describe("zip, tar or tar.gz of PNG and JPEG images; folders are classes"),
  }),
  ["train_images", "archive"],
).openapi("DatasetUpload", COMPANIONS);

/** A data set in JSON. */
export type DatasetWire = z.output<typeof datasetSchema>;

/** Returns a data set in JSON, without the fields that only the store uses. */
export function datasetWire(info: DatasetInfo): DatasetWire {
  const wire = toWire({ layout: null, ...info });
  return Object.fromEntries(Object.keys(datasetSchema.shape).map((key) => [key, wire[key]])) as DatasetWire;
}

/** Returns a data set of a list, with its class names only if they are short. */
export function datasetListWire(info: DatasetInfo): DatasetWire {
  return { ...datasetWire(info), class_names: namesForRow(info.classNames)?.slice() ?? null };
}
