/**
 * The fields of a request that select data: the data set, its split and the seed.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { JOB_LIMITS } from "./limits.ts";

/** A pattern that only documents the rule. A body with a NUL in any string is rejected before validation. */
const WITHOUT_NUL = "^[^\\u0000]*$";
/** The id or the name of a data set, or the id of a job or a checkpoint. */
export const reference = z.string().min(1).max(64).openapi({ pattern: WITHOUT_NUL });

/** A seed of the random number generator. */
export const seedSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** The name of a split. */
export const splitSchema = z.enum(["train", "test"]);

/** Options of the data set `digits` in a reference to a data set. */
export const digitsFields = {
  size: z.int().min(10).max(JOB_LIMITS.digitsSize).optional().describe("Training images (digits only)"),
  seed: seedSchema.optional().describe("Seed of the generated images (digits only)"),
};

const forDigits = { properties: { id: { const: "digits" } } };
/** JSON Schema of the rule that `size` and `seed` are allowed only for the data set `digits`. */
const DIGITS_ONLY: object = { dependentSchemas: { size: forDigits, seed: forDigits } };

/** Adds the rule that `size` and `seed` are allowed only for `digits`. @param name name in the OpenAPI document */
export function digitsOnly<S extends z.ZodType<{ id: string; size?: number; seed?: number }>>(
  schema: S,
  name: string,
): S {
  return schema.refine((ref) => ref.id === "digits" || (ref.size === undefined && ref.seed === undefined), {
    message: "size and seed are options of the data set 'digits' only",
  }).openapi(name, DIGITS_ONLY);
}

/** A data set by id or name. */
export const datasetRefSchema = z.union([
  reference.transform((id) => ({ id })),
  digitsOnly(z.strictObject({ id: reference, ...digitsFields }), "DatasetChoice"),
]).openapi("DatasetRef", {
  example: "digits",
  description: "The id or name of a data set, or an object with the id and options.",
});
