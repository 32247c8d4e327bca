/**
 * The kind `evaluate`: measures a checkpoint on a data set.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { maskRatioIssue } from "../../model/checkConfig.ts";
import { classifierFlops, forwardFlops } from "../../model/flops.ts";
import { classesMessage, matchClasses } from "../artifacts/classMatch.ts";
import { JobFailure } from "../failure.ts";
import { commonFields, EXAMPLE_JOB, sourceFields } from "../requests/commonFields.ts";
import { splitSchema } from "../requests/datasetFields.ts";
import { exactlyOneOf } from "../requests/exactlyOne.ts";
import { maskingSchema, maskRatioSchema } from "../requests/modelFields.ts";
import { trainingFields } from "../requests/trainingFields.ts";
import { defineKind } from "./kind.ts";

const fields = z.strictObject({
  kind: z.literal("evaluate"),
  ...commonFields,
  ...sourceFields,
  split: splitSchema.default("test"),
  batch_size: trainingFields.batch_size.describe("Images per batch"),
  mask_ratio: maskRatioSchema.optional()
    .describe("Only for a masked autoencoder. When absent: that of the model's configuration"),
  masking: maskingSchema.optional()
    .describe(
      "How masked patches are chosen. Only for a masked autoencoder, by default as in its configuration",
    ),
});

/** Measures the reconstruction error of a masked autoencoder, or the accuracy of a classifier. */
export const evaluate = defineKind({
  name: "evaluate",
  schema: exactlyOneOf(fields, ["checkpoint", "job"]).openapi("EvaluateRequest", {
    example: { kind: "evaluate", job: EXAMPLE_JOB, dataset: "digits" },
  }),
  sources: ["mae", "classifier"],
  trains: null,
  splits: ({ split }) => [split],

  check({ maskRatio, masking }, { dataset, source, classNames }) {
    if (source.model === "mae") {
      const message = maskRatio === undefined ? null : maskRatioIssue(source.config, maskRatio);
      return message === null ? null : { field: "mask_ratio", message };
    }
    for (const [field, value] of [["mask_ratio", maskRatio], ["masking", masking]] as const) {
      if (value === undefined) continue;
      return { field, message: "must be absent: the checkpoint is a classifier, which masks nothing" };
    }
    if (!dataset.labelled) return { field: "dataset", message: "must have labels to measure a classifier" };
    const message = classesMessage(classNames, matchClasses(classNames, dataset.classNames));
    return message === null ? null : { field: "dataset", message };
  },

  async *run(context) {
    const compute = await import("./compute/mod.ts");
    const { request, source } = context;
    if (!source) throw new JobFailure("no_model", "The request does not name a checkpoint");
    const { config } = source, isMae = source.model === "mae";
    const batchSize = compute.measurementBatchSize(config, request.batchSize, isMae);
    const maskRatio = request.maskRatio ?? config.maskRatio;
    const ratioIssue = isMae ? maskRatioIssue(config, maskRatio) : null;
    if (ratioIssue !== null) throw new JobFailure("mask_ratio", `mask_ratio ${ratioIssue}`);
    const flops = isMae ? forwardFlops({ ...config, maskRatio }) : classifierFlops(config);
    const backend = await compute.chooseBackend(context.settings, batchSize * flops);
    const dataset = yield* compute.openDataset(context);
    const { split, batchSize: requestedBatchSize } = request;
    const evaluation = { source, dataset, split, backend, batchSize, requestedBatchSize };
    const result = isMae
      ? yield* compute.evaluateMae(context, evaluation, {
        seed: request.seed,
        maskRatio,
        masking: request.masking,
      })
      : yield* compute.evaluateClassifier(context, evaluation);
    yield { type: "result", result: { ...result, checkpoint: source.id } };
  },
});
