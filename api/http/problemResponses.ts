/**
 * The problem responses of an operation, for the OpenAPI document.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { header } from "../openapi/headers.ts";
import type { JsonObject } from "../openapi/jsonSchemas.ts";
import { PROBLEM_TITLES, type ProblemStatus } from "./problem.ts";

const fieldErrorSchema = z.strictObject({
  path: z.string().describe("Path of the wrong value, such as `model.patch_size`"),
  message: z.string().describe("The rule that the value must follow"),
}).openapi("FieldError");

const problemSchema = z.strictObject({
  type: z.string().describe("Identifies the problem type: `urn:unmask:problem:…`"),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe("What is wrong with this request"),
  instance: z.string().describe("Path of the request"),
  request_id: z.string(),
  errors: z.array(fieldErrorSchema).describe(
    "Every wrong value of the request; empty when no value caused the error",
  ),
}).openapi("Problem");

const HEADERS: Partial<Record<ProblemStatus, JsonObject>> = {
  416: { "Content-Range": header("`bytes */SIZE`", { required: true }) },
  503: { "Retry-After": header("Seconds after which to try again", { type: "integer" }) },
};

/** Describes the problem responses with the given statuses. */
export function problems(...statuses: ProblemStatus[]) {
  const content = { "application/problem+json": { schema: problemSchema } };
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      { description: PROBLEM_TITLES[status], content, headers: HEADERS[status] },
    ]),
  );
}
