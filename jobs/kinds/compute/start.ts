/**
 * The start of a training: its configuration, and its first parameters, random or from a checkpoint.
 *
 * @module
 */
import type { ModelShape } from "../../../model/adapt/adaptTables.ts";
import { adaptationNotes, adaptWeights } from "../../../model/adapt/adaptWeights.ts";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { drawWeights, parameterSpecs } from "../../../model/weights.ts";
import { matchClasses } from "../../artifacts/classMatch.ts";
import { classNamesOf } from "../../artifacts/classNames.ts";
import { architectureOf, streamWeights } from "../../artifacts/readCheckpoint.ts";
import { JobFailure } from "../../failure.ts";
import type { Checkpoint } from "../../job.ts";
import type { KindContext } from "../kind.ts";
import type { TrainingSetup } from "./runTraining.ts";

/** The parts of a training that depend on its start. */
export type TrainingStart = Pick<TrainingSetup, "initial" | "notes">;

type StartContext = Pick<KindContext, "source" | "store" | "request">;

/** Returns the configuration of the model that a request trains. @throws {JobFailure} `no_model` */
export function configOf({ request, source }: Pick<KindContext, "source" | "request">): MaeConfig {
  // Requests that earlier versions stored have no model if they start from a checkpoint.
  if (request.model) return completeConfig(request.model);
  if (source) return source.config;
  throw new JobFailure("no_model", "The request names neither a checkpoint nor a model");
}

/**
 * Returns the start of a training. Its functions are not called when a run resumes, so that it does not need the
 * checkpoint any more. They fail with `checkpoint_unreadable`.
 *
 * @param model to train
 * @param classNames of the data set, for a classifier
 */
export function startOf(
  context: StartContext,
  model: ModelShape,
  classNames: readonly string[],
): TrainingStart {
  const { source, request: { seed, checkpoint } } = context;
  if (source) return startFrom(source, context, model, classNames);
  return {
    initial() {
      if (checkpoint === undefined) {
        return drawWeights(parameterSpecs(model.config, model.architecture), seed);
      }
      throw new JobFailure("checkpoint_unreadable", `The checkpoint ${checkpoint} is not in the database`);
    },
  };
}

/** Returns the start from a checkpoint. */
function startFrom(
  source: Checkpoint,
  { store, request: { seed } }: StartContext,
  model: ModelShape,
  classNames: readonly string[],
): TrainingStart {
  const shape = { config: source.config, architecture: architectureOf(source) };
  const labels = async () =>
    source.model === "classifier" ? matchClasses(await classNamesOf(store, source), classNames).labels : null;
  return {
    notes: async () => adaptationNotes(shape, model, await labels() !== null),
    async *initial() {
      const weights = streamWeights(store, source);
      yield* adaptWeights({ ...shape, weights }, model, { seed, labels: await labels() });
    },
  };
}
