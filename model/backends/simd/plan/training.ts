/**
 * What a planner keeps of a training, and how it records its step.
 *
 * @module
 */
import { objective } from "../../../training/objective.ts";
import type { Shape } from "../../../shape.ts";
import type { StepperOptions } from "../../../training/stepper.ts";
import type { Graph } from "./graph.ts";
import { record } from "./record.ts";

/** What of a training is needed after its start: its first values are as large as the model. */
export type Training = Pick<StepperOptions, "task" | "trainable" | "optimizer" | "batchSize"> & {
  /** Shapes of the parameters that stay as they are. */
  readonly frozen: ReadonlyMap<string, Shape>;
};

/** That part of a training. */
export function trainingOf({ task, trainable, optimizer, batchSize, frozen }: StepperOptions): Training {
  return {
    task,
    trainable,
    optimizer,
    batchSize,
    frozen: new Map([...frozen].map(([name, { shape }]) => [name, shape])),
  };
}

/** Records the step of so many images, which need be no real ones. */
export function recordImages({ task, trainable, frozen }: Training, images: number): Promise<Graph> {
  const { imageSize, inChannels } = task.config;
  const batch = {
    pixels: new Float32Array(images * imageSize ** 2 * inChannels),
    labels: new Int32Array(images),
  };
  return record(trainable, frozen, objective(task, batch, 0, 0, { first: 0, images }));
}
