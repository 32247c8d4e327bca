/**
 * Records the graph of a training step: the code of the model runs once on the recorder.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { type Shape, sizeOf } from "../../../shape.ts";
import type { Objective } from "../../../training/objective.ts";
import { PlanError } from "../../../planError.ts";
import type { ParameterSpec } from "../../../weights.ts";
import type { Graph } from "./graph.ts";
import { optimize } from "./passes.ts";
import { currentRecorder, RECORDER, registerRecorder } from "./recorder.ts";

/** Name of the feed with the factor of the loss: the share of the chunk's images in the batch. */
export const CHUNK_WEIGHT = "weight";

/**
 * Records forward and backward pass of an objective.
 *
 * @param frozen shapes of the parameters without gradients
 * @throws {PlanError} when an operation has no kernel
 */
export async function record(
  trainable: readonly ParameterSpec[],
  frozen: ReadonlyMap<string, Shape>,
  { feeds, drop, loss }: Objective,
): Promise<Graph> {
  registerRecorder();
  const previous = tf.getBackend();
  await tf.setBackend(RECORDER);
  const recorder = currentRecorder(), weight = Float32Array.of(1), drawn = new Map<string, Float32Array>();
  recorder.reset({ ...feeds, [CHUNK_WEIGHT]: weight }, drawn);
  try {
    return tf.tidy(() => {
      const leaf = (kind: "parameter" | "frozen", name: string, shape: Shape) =>
        recorder.tensor({ size: sizeOf(shape), from: { kind, name } }, shape);
      const frozenTensors = Object.fromEntries(
        [...frozen].map(([name, shape]) => [name, leaf("frozen", name, shape)]),
      );
      const parameters = trainable.map(({ name, shape }) => leaf("parameter", name, shape));
      const run = tf.valueAndGrads((...tensors) => {
        const weights = Object.fromEntries(trainable.map(({ name }, i) => [name, tensors[i]]));
        return loss({ ...frozenTensors, ...weights }, drop && { ...drop, drawn });
      });
      const { value, grads } = run(parameters, tf.tensor(weight, []));
      const graph: Graph = {
        nodes: recorder.nodes,
        loss: recorder.lookup(value),
        gradients: new Map(trainable.map(({ name }, i) => [name, recorder.lookup(grads[i])])),
        feeds: recorder.feeds,
      };
      return optimize(graph) as Graph & tf.TensorContainer;
    });
  } catch (error) {
    // TensorFlow.js has no error class for a missing kernel.
    if (error instanceof Error && /not registered/.test(error.message)) throw new PlanError(error.message);
    throw error;
  } finally {
    await tf.setBackend(previous);
  }
}
