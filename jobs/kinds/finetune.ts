/**
 * The kind `finetune`: trains a classifier, encoder and head.
 *
 * @module
 */
import { classifierSchema } from "../requests/classifierFields.ts";
import { EXAMPLE_JOB } from "../requests/commonFields.ts";
import { defineKind, type TrainedModel } from "./kind.ts";

const TRAINS: TrainedModel = { model: "classifier", freezeEncoder: false };

/** Trains a classifier from a pre-trained encoder or from random weights, and measures it on the test split. */
export const finetune = defineKind({
  name: "finetune",
  schema: classifierSchema("finetune").openapi("FinetuneRequest", {
    example: { kind: "finetune", job: EXAMPLE_JOB, dataset: "digits", epochs: 2 },
  }),
  sources: ["mae", "encoder", "classifier"],
  trains: TRAINS,
  splits: () => ["train", "test"],

  async *run(context) {
    const { trainClassifier } = await import("./compute/mod.ts");
    yield* trainClassifier(context, TRAINS);
  },
});
