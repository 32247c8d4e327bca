/**
 * The request of a kind that trains a classifier, from a checkpoint's encoder or from random weights.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { commonFields } from "./commonFields.ts";
import { classifierModelSchema } from "./modelFields.ts";
import { startFields, withResolvedStart, withStartRules } from "./startFields.ts";
import { learningRate, trainingFields, withTrainingRules } from "./trainingFields.ts";

/** Returns the schema of a request to train a classifier. */
export const classifierSchema = <const Name extends string>(kind: Name) =>
  withResolvedStart(
    withTrainingRules(withStartRules(
      z.strictObject({
        kind: z.literal(kind),
        ...commonFields,
        ...startFields(
          classifierModelSchema,
          "The model to train from random weights, instead of a checkpoint.",
        ),
        lr: learningRate(1e-3),
        ...trainingFields,
      }),
      null,
    )),
    null,
  );
