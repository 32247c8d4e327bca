/**
 * Records a step: the model's own code runs once on a TensorFlow.js backend that computes nothing and writes down
 * what it is asked.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { PlanError } from "../../../training/stepper.ts";
import type { Objective } from "../../../training/objective.ts";
import type { ParameterSpec } from "../../../weights.ts";
import { type Shape, sizeOf } from "../../../shape.ts";
import type { KernelSpec } from "../kernelSpec.ts";
import { PLAIN_SPECS, SPECS } from "../specs.ts";
import { type Graph, type Node, simplified, use, type Value } from "./graph.ts";

const BACKEND = "unmask-recorder";

/** Name of the feed that the loss is weighted by: the share of these images in the batch. */
export const WEIGHT = "weight";

/** Prefix of the feeds that hold factors of dropout. */
export const DROPOUT = "dropout/";

/** A TensorFlow.js backend whose tensors are names of values. */
class Recorder extends tf.KernelBackend {
  nodes: Node[] = [];
  values = new Map<object, Value>();
  /** Arrays that stand for feeds, and how to find those that are drawn while recording. */
  feeds = new Map<ArrayBufferView, string>();
  drawn = new Map<string, Float32Array>();
  /** Feeds that were read so far. */
  fed = new Map<string, Value>();

  override write(data: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    const id = {};
    if (!(data instanceof Float32Array || data instanceof Int32Array)) {
      throw new PlanError(`a step cannot hold values of type ${dtype}`);
    }
    for (const [site, factors] of this.drawn) this.feeds.set(factors, DROPOUT + site);
    const name = this.feeds.get(data);
    const size = sizeOf(shape);
    this.values.set(
      id,
      name === undefined ? { size, from: { kind: "constant", data: data.slice() } } : this.#feed(name, size),
    );
    return id;
  }

  #feed(name: string, size: number): Value {
    const value = this.fed.get(name) ?? { size, from: { kind: "feed", name } };
    this.fed.set(name, value);
    return value;
  }

  /** A tensor for a value that is no array. */
  tensor(value: Value, shape: readonly number[]): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(value, shape, "float32"));
  }

  info(value: Value, shape: readonly number[], dtype: tf.DataType): tf.TensorInfo {
    const dataId = {};
    this.values.set(dataId, value);
    return { dataId, shape: [...shape], dtype };
  }

  override numDataIds = () => this.values.size;
  override refCount = () => 1;
  override incRef = () => {};
  override disposeData = () => true;
  override timerAvailable = () => false;
  override memory = () => ({ unreliable: true });
  override floatPrecision = () => 32 as const;
  override epsilon = () => 1e-7;
  override dispose = () => {};
}

/** Writes an operation down. */
function note(spec: KernelSpec, inputs: tf.NamedTensorInfoMap, attributes: Record<string, number>) {
  const operands = spec.inputs.map((name) => inputs[name]);
  const uses = operands.map((info) => info && use(recorder.values.get(info.dataId)!, info.shape));
  const reason = spec.unsupported?.(uses.flatMap((given) => given ? [given.shape] : []));
  if (reason) throw new PlanError(reason);
  const shapes = spec.outputs(uses.flatMap((given) => given ? [given.shape] : []), attributes);
  const outputs = shapes.map((shape) => use({ size: sizeOf(shape), from: { kind: "result" } }, shape));
  recorder.nodes.push({ spec, inputs: uses, outputs, attributes });
  return outputs.map(({ value, shape }) => recorder.info(value, shape, "float32"));
}

/** The same value by another shape. */
function alias({ dataId, dtype }: tf.TensorInfo, shape: Shape): tf.TensorInfo {
  return recorder.info(recorder.values.get(dataId)!, shape, dtype);
}

/** A shape that may leave one length open. */
function closed(shape: readonly number[], size: number): number[] {
  const known = shape.reduce((product, length) => length < 0 ? product : product * length, 1);
  return shape.map((length) => length < 0 ? size / known : length);
}

function registerKernels(): void {
  const register = (kernelName: string, run: (inputs: tf.NamedTensorInfoMap, attributes: never) => unknown) =>
    tf.registerKernel({
      kernelName,
      backendName: BACKEND,
      kernelFunc: ({ inputs, attrs }) =>
        run(inputs as tf.NamedTensorInfoMap, attrs as never) as tf.TensorInfo[],
    });
  for (const [name, spec] of Object.entries(SPECS)) {
    register(name, (inputs, attributes) => note(spec, inputs, attributes ?? {}));
  }
  for (const [name, spec] of Object.entries(PLAIN_SPECS)) {
    register(name, (inputs, attributes) => note(spec, inputs, attributes ?? {})[0]);
  }
  register("Identity", ({ x }) => alias(x!, x!.shape));
  register("Reshape", ({ x }, { shape }: { shape: number[] }) => alias(x!, closed(shape, sizeOf(x!.shape))));
}

let recorder: Recorder;

/** Makes the recorder known to TensorFlow.js, once. */
function prepare(): void {
  if (tf.findBackendFactory(BACKEND)) return;
  tf.registerBackend(BACKEND, () => recorder = new Recorder(), 0);
  registerKernels();
}

/**
 * Records forward and backward pass of an objective.
 *
 * @throws {PlanError} for an operation that no kernel of ours computes
 */
export async function record(
  trainable: readonly ParameterSpec[],
  frozen: ReadonlyMap<string, Shape>,
  { feeds, drop, loss }: Objective,
): Promise<Graph> {
  prepare();
  const before = tf.getBackend();
  await tf.setBackend(BACKEND);
  recorder.nodes = [];
  recorder.values = new Map();
  recorder.fed = new Map();
  recorder.drawn = new Map();
  recorder.feeds = new Map(Object.entries(feeds).map(([name, array]) => [array, name]));
  const weight = Float32Array.of(1);
  recorder.feeds.set(weight, WEIGHT);
  try {
    return tf.tidy(() => {
      const leaf = (kind: "parameter" | "frozen", name: string, shape: readonly number[]) =>
        recorder.tensor({ size: sizeOf(shape), from: { kind, name } }, shape);
      const fixed = Object.fromEntries([...frozen].map(([name, shape]) => [
        name,
        leaf("frozen", name, shape),
      ]));
      const parameters = trainable.map(({ name, shape }) => leaf("parameter", name, shape));
      const run = tf.valueAndGrads((...tensors) =>
        loss(
          {
            ...fixed,
            ...Object.fromEntries(trainable.map(({ name }, i) => [name, tensors[i]])),
          },
          drop && { ...drop, drawn: recorder.drawn },
        )
      );
      const { value, grads } = run(parameters, tf.tensor(weight, []));
      const valueOf = ({ dataId }: tf.Tensor) => recorder.values.get(dataId)!;
      const graph = {
        nodes: recorder.nodes,
        loss: valueOf(value),
        gradients: new Map(trainable.map(({ name }, i) => [name, valueOf(grads[i])])),
        feeds: recorder.fed,
      };
      return simplified(graph) as Graph & tf.TensorContainer;
    });
  } catch (error) {
    if (error instanceof Error && /not registered/.test(error.message)) throw new PlanError(error.message);
    throw error;
  } finally {
    await tf.setBackend(before);
  }
}
