/**
 * The recipe: the fields that all kinds that train share, and the rules between them.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { type FromWire, fromWire } from "../../data/wire.ts";
import type { JobRequest } from "./commonFields.ts";
import { exactlyOneRule } from "./exactlyOne.ts";
import { JOB_LIMITS } from "./limits.ts";

/** Returns the schema of the field `lr`, whose default depends on the kind. */
export const learningRate = (rate: number) =>
  z.number().min(1e-12).max(10).default(rate).describe("Learning rate");

/** The other fields of a recipe, with their ranges, defaults and descriptions. */
export const trainingFields = {
  epochs: z.int().min(1).max(JOB_LIMITS.epochs).optional()
    .describe("When absent: the number that `max_steps` needs, or 1"),
  max_steps: z.int().min(1).max(JOB_LIMITS.steps).optional()
    .describe("Optimiser steps of the run. With `epochs`, the run ends at the smaller limit"),
  batch_size: z.int().min(1).max(JOB_LIMITS.batchSize).default(128).describe("Images per optimiser step"),
  drop_last: z.boolean().default(true).describe("Leave out the last batch of an epoch if it is not full"),
  weight_decay: z.number().min(0).max(10).default(0.05).describe("Weight decay of AdamW"),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999])
    .describe("Decay rates of AdamW's two moments"),
  eps: z.number().min(1e-12).max(1).default(1e-8).describe(
    "Term that AdamW adds to the denominator for numerical stability",
  ),
  schedule: z.enum(["constant", "cosine"]).openapi("Schedule").default("constant")
    .describe("Learning rate after the warm-up"),
  warmup_epochs: z.number().min(0).max(JOB_LIMITS.epochs).default(0)
    .describe("Epochs over which the learning rate rises from 0"),
  min_lr: z.number().min(0).max(10).default(0).describe("Final learning rate of the schedule `cosine`"),
  checkpoint_every: z.strictObject({
    epochs: z.int().min(1).max(JOB_LIMITS.epochs).optional(),
    steps: z.int().min(1).max(JOB_LIMITS.steps).optional(),
  }).refine((every) => (every.epochs === undefined) !== (every.steps === undefined), {
    message: "give either epochs or steps",
  }).openapi("CheckpointEvery", exactlyOneRule(["epochs", "steps"])).default({ epochs: 1 }).describe(
    "Interval between checkpoints. The last step always has one",
  ),
  keep: z.strictObject({ last: z.int().min(1).max(JOB_LIMITS.keptCheckpoints) }).openapi("KeepCheckpoints")
    .default({ last: 10 }).describe(
      "Number of checkpoints that the job keeps. Older ones are deleted, except those that another unfinished job starts from",
    ),
};

type Recipe = z.output<z.ZodObject<typeof trainingFields & { lr: ReturnType<typeof learningRate> }>>;

/** A validated request of a kind that trains, in camelCase. */
export type TrainingRequest = JobRequest & FromWire<Recipe>;

/** The defaults of a recipe. Requests that earlier versions stored lack the fields that were added since. */
export const RECIPE_DEFAULTS = fromWire(z.strictObject(trainingFields).parse({}));

/** Adds the rules between the fields of a recipe. Without `epochs` and `max_steps`, a run has one epoch. */
export function withTrainingRules<S extends z.ZodType<Recipe>>(schema: S) {
  return schema.superRefine(checkRecipe).transform((request) =>
    request.epochs !== undefined || request.max_steps !== undefined ? request : { ...request, epochs: 1 }
  );
}

function checkRecipe(request: Recipe, context: z.RefinementCtx): void {
  const report = (field: string, message: string) =>
    context.addIssue({ code: "custom", path: [field], message });
  const epochs = request.epochs ?? (request.max_steps === undefined ? 1 : Infinity);
  if (request.warmup_epochs > epochs) {
    report("warmup_epochs", `must not be above epochs: ${request.warmup_epochs} > ${epochs}`);
  }
  if (request.min_lr > 0 && request.schedule === "constant") {
    report("min_lr", "is the final learning rate of the schedule 'cosine': leave it out for 'constant'");
  }
  if (request.min_lr > request.lr) {
    report("min_lr", `must not be above lr: ${request.min_lr} > ${request.lr}`);
  }
}
