/**
 * Jobs in responses of the API.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { toWire } from "../../data/wire.ts";
import { type Job, JOB_STATUSES } from "../../jobs/job.ts";
import { KIND_NAMES } from "../../jobs/kinds/mod.ts";
import { jobIdSchema, pageLimit } from "./ids.ts";
import { listSchema } from "./list.ts";

const jobKindSchema = z.enum(KIND_NAMES).openapi("JobKind");
const statusSchema = z.enum(JOB_STATUSES).openapi("JobStatus");

const time = z.iso.datetime();

/** Progress of a job. */
const progressSchema = z.strictObject({
  step: z.int().describe("Number of completed optimiser steps (of batches for `evaluate`)"),
  total_steps: z.int().describe("Number of steps of the whole job"),
  epoch: z.int().describe("Current epoch, counted from 0"),
  loss: z.number().nullable().describe("Loss of the latest step"),
  images_per_second: z.number().nullable(),
  eta_seconds: z.number().nullable().describe("Estimated seconds until the last step"),
}).openapi("Progress");

/** A job. */
export const jobSchema = z.strictObject({
  id: jobIdSchema,
  kind: jobKindSchema,
  status: statusSchema,
  name: z.string().nullable(),
  metadata: z.record(z.string(), z.string()),
  created_at: time,
  started_at: time.nullable(),
  finished_at: time.nullable(),
  request: z.record(z.string(), z.unknown()).describe("The request with every default filled in"),
  progress: progressSchema.nullable(),
  result: z.record(z.string(), z.unknown()).nullable().describe(
    "Losses, accuracy, the final checkpoint, and the address of a classifier's confusion matrix (`confusion_url`)",
  ),
  error: z.strictObject({
    code: z.string().describe("Reason for programs, such as `loss_not_finite`"),
    message: z.string().describe("Reason for people"),
  }).openapi("JobError").nullable().describe("Why the job failed"),
  attempt: z.int().describe("Number of attempts; 0 until the first one starts"),
  interruptions: z.int().describe(
    "Number of interruptions (lost runners, crashed runs, outages) since the last new checkpoint",
  ),
  cancel_requested_at: time.nullable(),
  backend: z.strictObject({
    name: z.string(),
    threads: z.int().optional().describe("Threads that compute"),
    vector_bits: z.int().optional().describe("Width of the vectors of the backend simd: 128 or 256"),
    notes: z.array(z.string()),
  }).openapi("JobBackend").nullable()
    .describe("The backend that computes, with notes on why others or wider vectors were not selected"),
  latest_checkpoint: z.string().nullable(),
}).openapi("Job");

/** A page of jobs. */
export const jobListSchema = listSchema(jobSchema, "JobList");

/** Query of `GET /v1/jobs`. */
export const jobListQuery = z.strictObject({
  status: statusSchema.optional(),
  kind: jobKindSchema.optional(),
  limit: pageLimit,
  after: jobIdSchema.optional().openapi({ description: "Last id of the previous page" }),
});

/** A job in JSON. */
export type JobWire = z.output<typeof jobSchema>;

/** Returns a job in JSON, without the fields that only the store uses. */
export function jobWire(job: Job): JobWire {
  const wire = toWire(job);
  return Object.fromEntries(Object.keys(jobSchema.shape).map((key) => [key, wire[key] ?? null])) as JobWire;
}
