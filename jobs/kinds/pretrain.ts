/**
 * The kind `pretrain`: trains a masked autoencoder (He et al. 2022).
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { forwardFlops } from "../../model/flops.ts";
import type { Architecture } from "../../model/weights.ts";
import { commonFields } from "../requests/commonFields.ts";
import { modelSchema } from "../requests/modelFields.ts";
import { startFields, withResolvedStart, withStartRules } from "../requests/startFields.ts";
import { learningRate, trainingFields, withTrainingRules } from "../requests/trainingFields.ts";
import { defineKind } from "./kind.ts";

const ARCHITECTURE: Architecture = { model: "mae" };

/** Trains a masked autoencoder, from random weights or from a checkpoint's. */
export const pretrain = defineKind({
  name: "pretrain",
  schema: withResolvedStart(
    withTrainingRules(withStartRules(
      z.strictObject({
        kind: z.literal("pretrain"),
        ...commonFields,
        ...startFields(modelSchema, "The model to train from random weights, `mnist` by default."),
        lr: learningRate(1.5e-4),
        ...trainingFields,
      }),
      "mnist",
    )),
    "mnist",
  ).openapi("PretrainRequest", { example: { kind: "pretrain", dataset: "digits", epochs: 2 } }),
  sources: ["mae", "encoder"],
  trains: { model: "mae", freezeEncoder: false },
  splits: () => ["train"],

  async *run(context) {
    const compute = await import("./compute/mod.ts");
    const config = compute.configOf(context), flops = 3 * context.request.batchSize * forwardFlops(config);
    const backend = await compute.chooseBackend(context.settings, flops);
    const dataset = yield* compute.openDataset(context);
    const { state, checkpoint, epochLoss } = yield* compute.runTraining(context, {
      config,
      architecture: ARCHITECTURE,
      classNames: [],
      freezeEncoder: false,
      backend,
      preprocessing: dataset.info,
      set: await compute.loadSplit(context, dataset, "train", config),
      ...compute.startOf(context, { config, architecture: ARCHITECTURE }, []),
    });
    yield { type: "result", result: { loss: epochLoss, steps: state.step, checkpoint } };
  },
});
