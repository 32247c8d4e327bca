/**
 * The request of a kind that trains a classifier, from a checkpoint's encoder or from random weights.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { commonFields, sourceFields } from "./commonFields.ts";
import { exactlyOneOf } from "./exactlyOne.ts";
import { classifierModelSchema } from "./modelFields.ts";
import { learningRate, trainingFields } from "./trainingFields.ts";

/** Returns the schema of a request to train a classifier. */
export const classifierSchema = <const Name extends string>(kind: Name) =>
  exactlyOneOf(
    z.strictObject({
      kind: z.literal(kind),
      ...commonFields,
      ...sourceFields,
      model: classifierModelSchema.optional().describe(
        "The model to train from random weights, instead of a checkpoint",
      ),
      lr: learningRate(1e-3),
      ...trainingFields,
    }),
    ["checkpoint", "job", "model"],
  );
