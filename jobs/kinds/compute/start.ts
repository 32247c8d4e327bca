/**
 * The start of a training: its first parameters, random or from a checkpoint.
 *
 * @module
 */
import type { ModelShape } from "../../../model/adapt/adaptTables.ts";
import { adaptationNotes, adaptWeights } from "../../../model/adapt/adaptWeights.ts";
import { drawWeights, type HostWeights, parameterSpecs } from "../../../model/weights.ts";
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
  // The trainer reads the positions first, and all tensors after that. The file is read once for both.
  let loaded: Promise<HostWeights> | null = null;
  const tensors = async function* () {
    const weights = await (loaded ??= loadWeights(store, source));
    yield* adaptWeights({ ...shape, weights }, model, { seed, labels });
    loaded = null;
  };
  return { notes: adaptationNotes(shape, model, labels !== null), initial: tensors };
}
