/**
 * A TensorFlow.js backend that records operations instead of computing them. Its tensors are references to values of a
 * graph, and its kernels append nodes to the graph.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { type Shape, sizeOf } from "../../../shape.ts";
import { native, useNative } from "../../../ops/native.ts";
import { PlanError } from "../../../planError.ts";
import type { KernelSpec } from "../kernelSpec.ts";
import { SIMD_OPS } from "../ops.ts";
import { PLAIN_SPECS, SPECS } from "../specs.ts";
import { type Node, type Value, view } from "./graph.ts";

/** Name of the backend. */
export const RECORDER = "unmask-recorder";

/** Prefix of the feeds with dropout factors. */
export const DROPOUT = "dropout/";

/** The backend. */
export class Recorder extends tf.KernelBackend {
  #nodes: Node[] = [];
  #values = new Map<object, Value>();
  #feedNames = new Map<ArrayBufferView, string>();
  #dropoutFactors = new Map<string, Float32Array>();
  #feeds = new Map<string, Value>();

  /** The nodes that were recorded. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** The feeds that were read, by name. */
  get feeds(): ReadonlyMap<string, Value> {
    return this.#feeds;
  }

  /**
   * Starts a recording.
   *
   * @param feeds arrays whose tensors become feeds
   * @param dropoutFactors dropout factors by site, filled during the recording; they become feeds too
   */
  reset(
    feeds: Readonly<Record<string, ArrayBufferView>>,
    dropoutFactors: Map<string, Float32Array>,
  ): void {
    this.#nodes = [];
    this.#values = new Map();
    this.#feeds = new Map();
    this.#feedNames = new Map(Object.entries(feeds).map(([name, array]) => [array, name]));
    this.#dropoutFactors = dropoutFactors;
  }

  override write(data: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    if (!(data instanceof Float32Array || data instanceof Int32Array)) {
      throw new PlanError(`a planned step does not support tensors of type ${dtype}`);
    }
    for (const [site, factors] of this.#dropoutFactors) this.#feedNames.set(factors, DROPOUT + site);
    const name = this.#feedNames.get(data), size = sizeOf(shape);
    const value: Value = name === undefined
      ? { size, from: { kind: "constant", data: data.slice() } }
      : this.#feed(name, size);
    const dataId = {};
    this.#values.set(dataId, value);
    return dataId;
  }

  #feed(name: string, size: number): Value {
    const value = this.#feeds.get(name) ?? { size, from: { kind: "feed", name } };
    this.#feeds.set(name, value);
    return value;
  }

  /** Returns the value of a tensor. */
  lookup({ dataId }: tf.TensorInfo): Value {
    return this.#values.get(dataId)!;
  }

  /** Returns a new tensor for a value. */
  tensor(value: Value, shape: Shape): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.tensorInfo(value, shape, "float32"));
  }

  /** Returns a new reference to a value. */
  tensorInfo(value: Value, shape: Shape, dtype: tf.DataType): tf.TensorInfo {
    const dataId = {};
    this.#values.set(dataId, value);
    return { dataId, shape: [...shape], dtype };
  }

  /**
   * Appends a node.
   *
   * @throws {PlanError} when the kernels do not support the shapes
   */
  append(
    spec: KernelSpec,
    inputs: tf.NamedTensorInfoMap,
    attributes: Record<string, number>,
  ): tf.TensorInfo[] {
    const views = spec.inputs.map((name) => inputs[name])
      .map((info) => info && view(this.lookup(info), info.shape));
    const shapes = views.flatMap((input) => input ? [input.shape] : []);
    const reason = spec.unsupported?.(shapes);
    if (reason) throw new PlanError(reason);
    const outputs = spec.outputs(shapes, attributes)
      .map((shape) => view({ size: sizeOf(shape), from: { kind: "result" } }, shape));
    this.#nodes.push({ spec, inputs: views, outputs, attributes });
    return outputs.map(({ value, shape }) => this.tensorInfo(value, shape, "float32"));
  }

  override numDataIds = () => this.#values.size;
  override refCount = () => 1;
  override incRef = () => {};
  override disposeData = () => true;
  override timerAvailable = () => false;
  override memory = () => ({ unreliable: true });
  override floatPrecision = () => 32 as const;
  override epsilon = () => 1e-7;
  override dispose = () => {};
}

let recorder: Recorder | undefined;

/** Returns a shape in which the length -1, if it occurs, is replaced by the length that the size determines. */
function resolveShape(shape: readonly number[], size: number): number[] {
  const fixedSize = shape.reduce((product, length) => length < 0 ? product : product * length, 1);
  return shape.map((length) => length < 0 ? size / fixedSize : length);
}

/** Makes the recorder TensorFlow.js's backend: from now on its operations are recorded, and nothing computes them. */
export function startRecorder(): void {
  registerRecorder();
  setBackend(RECORDER);
}

/**
 * Runs code on the recorder, whichever backend is selected. It may record operations after `recorder.reset`.
 *
 * @throws {PlanError} when an operation has no kernel
 */
export function onRecorder<T>(run: (recorder: Recorder) => T): T {
  const backend = tf.getBackend(), ops = native();
  startRecorder();
  useNative(SIMD_OPS);
  try {
    return run(recorder!);
  } catch (error) {
    // TensorFlow.js has no error class for a missing kernel.
    if (error instanceof Error && /not registered/.test(error.message)) throw new PlanError(error.message);
    throw error;
  } finally {
    if (backend) setBackend(backend);
    useNative(ops);
  }
}

/** Changes TensorFlow.js's backend. Its function returns a promise, but waits for nothing if the backend is ready. */
function setBackend(name: string): void {
  tf.setBackend(name);
  if (tf.getBackend() !== name) {
    throw new Error(`TensorFlow.js did not change its backend to ${name} at once`);
  }
}

/** Registers the backend and its kernels with TensorFlow.js. */
function registerRecorder(): void {
  if (tf.findBackendFactory(RECORDER)) return;
  tf.registerBackend(RECORDER, () => recorder = new Recorder(), 0);
  const register = (kernelName: string, run: (inputs: tf.NamedTensorInfoMap, attributes: never) => unknown) =>
    tf.registerKernel({
      kernelName,
      backendName: RECORDER,
      kernelFunc: ({ inputs, attrs }) =>
        run(inputs as tf.NamedTensorInfoMap, attrs as never) as tf.TensorInfo[],
    });
  for (const [name, spec] of Object.entries(SPECS)) {
    register(name, (inputs, attributes) => recorder!.append(spec, inputs, attributes ?? {}));
  }
  for (const [name, spec] of Object.entries(PLAIN_SPECS)) {
    register(name, (inputs, attributes) => recorder!.append(spec, inputs, attributes ?? {})[0]);
  }
  const alias = (x: tf.TensorInfo, shape: Shape) => recorder!.tensorInfo(recorder!.lookup(x), shape, x.dtype);
  register("Identity", ({ x }) => alias(x!, x!.shape));
  register(
    "Reshape",
    ({ x }, { shape }: { shape: number[] }) => alias(x!, resolveShape(shape, sizeOf(x!.shape))),
  );
}
