/**
 * Records the graph of a training step or of a forward pass: the code of the model runs once on the recorder.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { type Shape, sizeOf } from "../../../shape.ts";
import type { Objective } from "../../../training/objective.ts";
import type { Weights } from "../../../transformer.ts";
import type { ParameterSpec } from "../../../weights.ts";
import type { Graph, Value } from "./graph.ts";
import { optimize } from "./passes.ts";
import { onRecorder, type Recorder } from "./recorder.ts";

/** Name of the feed with the factor of the loss: the share of the chunk's images in the batch. */
export const CHUNK_WEIGHT = "weight";

/** Arrays whose tensors become feeds, by name. */
type Feeds = Readonly<Record<string, Float32Array | Int32Array>>;

/**
 * Records forward and backward pass of an objective.
 *
 * @param frozen shapes of the parameters without gradients
 * @throws {PlanError} when an operation has no kernel
 */
export function record(
  trainable: readonly ParameterSpec[],
  frozen: ReadonlyMap<string, Shape>,
  { feeds, drop, loss }: Objective,
): Graph {
  const weight = Float32Array.of(1), drawn = new Map<string, Float32Array>();
  return recordGraph({ ...feeds, [CHUNK_WEIGHT]: weight }, drawn, (recorder) => {
    const frozenTensors = leaves(recorder, "frozen", frozen);
    const parameters = leaves(
      recorder,
      "parameter",
      new Map(trainable.map(({ name, shape }) => [name, shape])),
    );
    const run = tf.valueAndGrads((...tensors) => {
      const weights = Object.fromEntries(trainable.map(({ name }, i) => [name, tensors[i]]));
      return loss({ ...frozenTensors, ...weights }, drop && { ...drop, drawn });
    });
    const { value, grads } = run(Object.values(parameters), tf.tensor(weight, []));
    const gradients = trainable.map(({ name }, i) => [name, recorder.lookup(grads[i])] as const);
    return { outputs: [recorder.lookup(value)], gradients: new Map(gradients) };
  });
}

/**
 * Records a forward pass.
 *
 * @param parameters shapes of the parameters
 * @param feeds the inputs of `compute`
 * @param compute returns the outputs
 * @throws {PlanError} when an operation has no kernel
 */
export function recordForward(
  parameters: ReadonlyMap<string, Shape>,
  feeds: Feeds,
  compute: (weights: Weights) => readonly tf.Tensor[],
): Graph {
  return recordGraph(feeds, new Map(), (recorder) => {
    const outputs = compute(leaves(recorder, "frozen", parameters));
    return { outputs: outputs.map((output) => recorder.lookup(output)), gradients: new Map<string, Value>() };
  });
}

/** Returns a tensor for each parameter. */
function leaves(
  recorder: Recorder,
  kind: "parameter" | "frozen",
  shapes: ReadonlyMap<string, Shape>,
): Weights {
  return Object.fromEntries(
    [...shapes].map((
      [name, shape],
    ) => [name, recorder.tensor({ size: sizeOf(shape), from: { kind, name } }, shape)]),
  );
}

/** Runs code on the recorder, and returns the optimised graph of its operations. */
function recordGraph(
  feeds: Feeds,
  drawn: Map<string, Float32Array>,
  run: (recorder: Recorder) => Pick<Graph, "outputs" | "gradients">,
): Graph {
  return onRecorder((recorder) =>
    tf.tidy(() => {
      recorder.reset(feeds, drawn);
      const outputs = run(recorder);
      const graph = { nodes: recorder.nodes, feeds: recorder.feeds, ...outputs };
      return optimize(graph) as Graph & tf.TensorContainer;
    })
  );
}
