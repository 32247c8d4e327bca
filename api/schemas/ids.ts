/**
 * Ids in paths and the query parameters of lists.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { EXAMPLE_JOB } from "../../jobs/requests/commonFields.ts";

const ulid = "[0-7][0-9A-HJKMNP-TV-Z]{25}";

const idRule = (noun: string, prefix: string) =>
  `must be ${noun} (${prefix} and 26 digits or capital letters)`;

/** A job's id: `job_` and a ULID. */
export const jobIdSchema = z.string().regex(new RegExp(`^job_${ulid}$`), idRule("a job's id", "job_"));

/** A checkpoint's id: `ckpt_` and a ULID. */
export const checkpointIdSchema = z.string().regex(
  new RegExp(`^ckpt_${ulid}$`),
  idRule("a checkpoint's id", "ckpt_"),
);

/** A data set's id: `ds_` and a ULID, or a built-in's name. */
export const datasetIdSchema = z.string().regex(
  new RegExp(`^(ds_${ulid}|[a-z][a-z0-9-]{0,31})$`),
  `${idRule("a data set's id", "ds_")} or the name of a built-in data set`,
);

/** Path parameters of `/v1/jobs/{id}`. */
export const jobParams = z.strictObject({
  id: jobIdSchema.openapi({ example: EXAMPLE_JOB }),
});
/** Path parameters of `/v1/checkpoints/{id}`. */
export const checkpointParams = z.strictObject({
  id: checkpointIdSchema.openapi({ example: "ckpt_01JD0000000000000000000000" }),
});
/** Path parameters of `/v1/datasets/{id}`. */
export const datasetParams = z.strictObject({ id: datasetIdSchema.openapi({ example: "digits" }) });

/** Creates the schema of a whole number in a query or a form. */
export function wholeNumber(min: number, max: number) {
  return z.string().transform((text, context) => {
    const value = Number(text);
    if (/^\d{1,16}$/.test(text) && value >= min && value <= max) return value;
    context.addIssue({
      code: "custom",
      message: `must be a whole number from ${min} to ${max}: current value is '${text.slice(0, 40)}'`,
    });
    return z.NEVER;
  }).openapi({ type: "integer", minimum: min, maximum: max });
}

/** Number of rows of a page. */
export const pageLimit = wholeNumber(1, 100).prefault("20").openapi({
  description: "Maximum number of rows",
});
