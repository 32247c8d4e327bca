/**
 * The start of a training: its first parameters, random or from a checkpoint.
 *
 * @module
 */
import { adaptationNotes, adaptWeights, type ModelShape } from "../../../model/adapt/adaptWeights.ts";
import { drawWeights, parameterSpecs } from "../../../model/weights.ts";
import { matchClasses } from "../../artifacts/classMatch.ts";
import { classNamesOf } from "../../artifacts/classNames.ts";
import { architectureOf, loadWeights } from "../../artifacts/readCheckpoint.ts";
import type { KindContext } from "../kind.ts";
import type { TrainingSetup } from "./runTraining.ts";

/** The parts of a training that depend on its start. */
export type TrainingStart = Pick<TrainingSetup, "initial" | "notes">;

/**
 * Returns the start of a training.
 *
 * @param model to train
 * @param classNames of the data set, for a classifier
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function startOf(
  { source, store, request: { seed } }: Pick<KindContext, "source" | "store" | "request">,
  model: ModelShape,
  classNames: readonly string[],
): Promise<TrainingStart> {
  if (source === null) {
    return { initial: () => drawWeights(parameterSpecs(model.config, model.architecture), seed) };
  }
  const labels = source.model === "classifier"
    ? matchClasses(await classNamesOf(store, source), classNames).labels
    : null;
  const shape = { config: source.config, architecture: architectureOf(source) };
  return {
    notes: adaptationNotes(shape, model, labels !== null).map((note) => `${note} (${source.id})`),
    initial: async () =>
      adaptWeights({ ...shape, weights: await loadWeights(store, source) }, model, { seed, labels }),
  };
}
