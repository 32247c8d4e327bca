/**
 * The names of models in messages.
 *
 * @module
 */
import type { ModelName } from "../../model/weights.ts";

/** What a checkpoint is of, as a part of a sentence. */
export const MODEL_NAMES: Readonly<Record<ModelName, string>> = {
  mae: "a masked autoencoder",
  encoder: "an encoder without decoder and head",
  classifier: "a classifier",
};
