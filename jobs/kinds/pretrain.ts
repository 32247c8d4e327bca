/**
 * The kind `pretrain`: trains a masked autoencoder (He et al. 2022).
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { completeConfig } from "../../model/config.ts";
import { forwardFlops } from "../../model/flops.ts";
import { type Architecture, drawWeights, parameterSpecs } from "../../model/weights.ts";
import { commonFields } from "../requests/commonFields.ts";
import { modelSchema } from "../requests/modelFields.ts";
import { learningRate, trainingFields, withTrainingRules } from "../requests/trainingFields.ts";
import { defineKind } from "./kind.ts";

const ARCHITECTURE: Architecture = { model: "mae" };

/** Trains a masked autoencoder from random weights. */
export const pretrain = defineKind({
  name: "pretrain",
  schema: withTrainingRules(z.strictObject({
    kind: z.literal("pretrain"),
    ...commonFields,
    model: modelSchema.prefault("mnist"),
    lr: learningRate(1.5e-4),
    ...trainingFields,
  })).openapi("PretrainRequest", { example: { kind: "pretrain", dataset: "digits", epochs: 2 } }),
  source: "none",
  trains: { model: "mae", freezeEncoder: false },
  splits: () => ["train"],

  async *run(context) {
    const { chooseBackend, loadSplit, openDataset, runTraining } = await import("./compute/mod.ts");
    const { seed, batchSize } = context.request;
    const config = completeConfig(context.request.model);
    const backend = await chooseBackend(context.settings, 3 * batchSize * forwardFlops(config));
    const dataset = yield* openDataset(context);
    const { state, checkpoint, epochLoss } = yield* runTraining(context, {
      config,
      architecture: ARCHITECTURE,
      classNames: [],
      freezeEncoder: false,
      backend,
      preprocessing: dataset.info,
      set: await loadSplit(context, dataset, "train", config),
      initial: () => drawWeights(parameterSpecs(config, ARCHITECTURE), seed),
    });
    yield { type: "result", result: { loss: epochLoss, steps: state.step, checkpoint } };
  },
});
