/**
 * Records the graph of a training step or of a forward pass: the code of the model runs once on the recorder.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { PlanError } from "../../../planError.ts";
import { type Shape, sizeOf } from "../../../shape.ts";
import type { Objective } from "../../../training/objective.ts";
import type { Weights } from "../../../transformer.ts";
import type { ParameterSpec } from "../../../weights.ts";
import type { Graph, Value } from "./graph.ts";
import { optimize } from "./passes.ts";
import { currentRecorder, RECORDER, type Recorder, registerRecorder } from "./recorder.ts";

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
): Promise<Graph> {
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
    return { output: recorder.lookup(value), gradients: new Map(gradients) };
  });
}

/**
 * Records a forward pass.
 *
 * @param parameters shapes of the parameters
 * @param feeds the inputs of `compute`
 * @throws {PlanError} when an operation has no kernel
 */
export function recordForward(
  parameters: ReadonlyMap<string, Shape>,
  feeds: Feeds,
  compute: (weights: Weights) => tf.Tensor,
): Promise<Graph> {
  return recordGraph(feeds, new Map(), (recorder) => {
    const output = compute(leaves(recorder, "frozen", parameters));
    return { output: recorder.lookup(output), gradients: new Map<string, Value>() };
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

/** Resolves when the last recording has ended. Recordings change TensorFlow.js's backend, so they must not overlap. */
let queue: Promise<unknown> = Promise.resolve();

/** Runs code on the recorder, and returns the optimised graph of its operations. */
function recordGraph(
  feeds: Feeds,
  drawn: Map<string, Float32Array>,
  run: (recorder: Recorder) => Pick<Graph, "output" | "gradients">,
): Promise<Graph> {
  const recording = queue.then(() => recordAlone(feeds, drawn, run));
  queue = recording.catch(() => {});
  return recording;
}

async function recordAlone(
  feeds: Feeds,
  drawn: Map<string, Float32Array>,
  run: (recorder: Recorder) => Pick<Graph, "output" | "gradients">,
): Promise<Graph> {
  registerRecorder();
  const previous = tf.getBackend();
  await tf.setBackend(RECORDER);
  const recorder = currentRecorder();
  recorder.reset(feeds, drawn);
  try {
    return tf.tidy(() => {
      const outputs = run(recorder);
      const graph = { nodes: recorder.nodes, feeds: recorder.feeds, ...outputs };
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
