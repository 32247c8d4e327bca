/**
 * The kind `linear_probe`: trains the head of a classifier on a frozen encoder.
 *
 * @module
 */
import { classifierSchema } from "../requests/classifierFields.ts";
import { EXAMPLE_JOB } from "../requests/commonFields.ts";
import { withTrainingRules } from "../requests/trainingFields.ts";
import { defineKind, type TrainedModel } from "./kind.ts";

const TRAINS: TrainedModel = { model: "classifier", freezeEncoder: true };

/** Trains a linear layer on the features of an encoder, and measures the classifier on the test split. */
export const linearProbe = defineKind({
  name: "linear_probe",
  schema: withTrainingRules(
    classifierSchema("linear_probe").superRefine(({ model }, context) => {
      if (model === undefined || model.dropout === 0) return;
      const message = "must be 0: the encoder of a linear probe is not trained";
      context.addIssue({ code: "custom", path: ["model", "dropout"], message });
    }),
  ).openapi("LinearProbeRequest", {
    example: { kind: "linear_probe", job: EXAMPLE_JOB, dataset: "digits" },
  }),
  source: "mae",
  trains: TRAINS,
  splits: () => ["train", "test"],

  async *run(context) {
    const { trainClassifier } = await import("./compute/mod.ts");
    yield* trainClassifier(context, TRAINS);
  },
});
