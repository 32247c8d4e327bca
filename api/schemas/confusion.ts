/**
 * Response schema of a classifier's confusion matrix.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { splitSchema } from "../../jobs/requests/datasetFields.ts";
import { checkpointIdSchema, datasetIdSchema, jobIdSchema } from "./ids.ts";

/** The counts of an evaluated classifier, with the names of rows and columns. */
export const confusionSchema = z.strictObject({
  object: z.literal("confusion"),
  job: jobIdSchema,
  checkpoint: checkpointIdSchema,
  dataset: datasetIdSchema,
  split: splitSchema,
  class_names: z.array(z.string()).describe("The classifier's classes, in the order of rows and columns"),
  confusion: z.array(z.array(z.int().min(0))).describe(
    "Number of images by actual class (row) and predicted class (column)",
  ),
}).openapi("Confusion");
