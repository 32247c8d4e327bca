/**
 * The kind `linear_probe`: trains the head of a classifier on a frozen encoder.
 *
 * @module
 */
import { classifierSchema } from "../requests/classifierFields.ts";
import { EXAMPLE_JOB } from "../requests/commonFields.ts";
import { wireName } from "../requests/modelFields.ts";
import { defineKind, type TrainedModel } from "./kind.ts";

const TRAINS: TrainedModel = { model: "classifier", freezeEncoder: true };

/** Trains a linear layer on the features of an encoder, and measures the classifier on the test split. */
export const linearProbe = defineKind({
  name: "linear_probe",
  schema: classifierSchema("linear_probe").superRefine(({ model, changes }, context) => {
    for (const [field, value] of Object.entries({ ...model, ...changes })) {
      if (!["dropout", "dropPath"].includes(field) || value === 0) continue;
      const message = "must be 0: the encoder of a linear probe is not trained";
      context.addIssue({ code: "custom", path: ["model", wireName(field)], message });
    }
  }).openapi("LinearProbeRequest", {
    example: { kind: "linear_probe", job: EXAMPLE_JOB, dataset: "digits" },
  }),
  sources: ["mae", "encoder"],
  trains: TRAINS,
  splits: () => ["train", "test"],

  async *run(context) {
    const { trainClassifier } = await import("./compute/mod.ts");
    yield* trainClassifier(context, TRAINS);
  },
});
