/**
 * The options of a training that its planned steps use.
 *
 * @module
 */
import type { Shape } from "../../../shape.ts";
import { emptyBatch, objective } from "../../../training/objective.ts";
import type { StepperOptions } from "../../../training/stepper.ts";
import type { Graph } from "./graph.ts";
import { record } from "./record.ts";

/** Options that a stepper keeps. The initial weights are not among them, because they are as large as the model. */
export type TrainingSpec = Pick<StepperOptions, "task" | "trainable" | "optimizer" | "batchSize"> & {
  /** Shapes of the frozen parameters. */
  readonly frozen: ReadonlyMap<string, Shape>;
};

/** Returns the options that a stepper keeps. */
export function trainingSpec(
  { task, trainable, optimizer, batchSize, frozen }: StepperOptions,
): TrainingSpec {
  const shapes = new Map([...frozen].map(([name, { shape }]) => [name, shape]));
  return { task, trainable, optimizer, batchSize, frozen: shapes };
}

/** Records the graph of a step over `images` images. */
export function recordStep({ task, trainable, frozen }: TrainingSpec, images: number): Graph {
  return record(trainable, frozen, objective(task, emptyBatch(task, images), 0, 0, { first: 0, images }));
}
