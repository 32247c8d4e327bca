/**
 * Problem details (RFC 9457) as OpenAPI knows them.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { PROBLEM_TITLES, type ProblemStatus } from "../problem.ts";

/** The body of every answer that is an error. */
export const problemSchema = z.strictObject({
  type: z.string().describe("Names the sort of problem: `urn:unmask:problem:…`"),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe("What is wrong with this request"),
  instance: z.string().describe("Path of the request"),
  request_id: z.string(),
  errors: z.array(z.strictObject({
    path: z.string().describe("The wrong value, as `model.patch_size`"),
    message: z.string(),
  })),
}).openapi("Problem");

/** OpenAPI responses for the statuses a route can fail with; 500 is added to all. */
export function problems(...statuses: ProblemStatus[]) {
  const content = { "application/problem+json": { schema: problemSchema } };
  const all = [...statuses, 500 as const];
  return Object.fromEntries(all.map((status) => [status, { description: PROBLEM_TITLES[status], content }]));
}
