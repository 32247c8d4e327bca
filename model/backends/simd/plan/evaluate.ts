/**
 * Computes a function of tensors by a plan.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Input } from "../../backend.ts";
import { instantiate, type Kernels } from "../instance.ts";
import { OVERREAD, START } from "./allocation.ts";
import { compile, measure } from "./compile.ts";
import { Constants } from "./constants.ts";
import { recordForward } from "./record.ts";

/**
 * Computes a function in the calling thread.
 *
 * @param module kernels for shared memory
 * @param compute returns the results
 * @throws {PlanError} when an operation has no kernel
 */
export function evaluatePlanned(
  module: WebAssembly.Module,
  inputs: readonly Input[],
  compute: (...inputs: tf.Tensor[]) => readonly tf.Tensor[],
): Float32Array<ArrayBuffer>[] {
  const feeds = Object.fromEntries(inputs.map(({ data }, i) => [`${i}`, data]));
  const graph = recordForward(
    new Map(),
    feeds,
    () => compute(...inputs.map((input) => toTensor(input))),
  );
  const { feedBytes, resultBytes, scratchBytes, constantBytes } = measure(graph);
  const results = START + feedBytes, scratch = results + resultBytes;
  const firstConstant = scratch + scratchBytes;
  const pages = Math.ceil((firstConstant + constantBytes + OVERREAD) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const constants = new Constants(memory, firstConstant, constantBytes);
  const { calls, feedOffsets, outputAddresses } = compile(graph, {
    parameter: () => 0,
    gradient: () => 0,
    constant: (data) => constants.addressOf(data),
    feeds: START,
    results,
    scratch,
  });
  const bytes = new Uint8Array(memory.buffer);
  for (const [name, offset] of feedOffsets) {
    const { buffer, byteOffset, byteLength } = feeds[name];
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), START + offset);
  }
  const kernels: Kernels = instantiate(module, memory);
  for (const [name, ...args] of calls) kernels[name](...args);
  return outputAddresses.map((address, i) =>
    new Float32Array(new Float32Array(memory.buffer, address, graph.outputs[i].size))
  );
}

/** Returns a tensor of an input. */
function toTensor({ data, shape }: Input): tf.Tensor {
  return tf.tensor(data, [...shape], data instanceof Int32Array ? "int32" : "float32");
}
