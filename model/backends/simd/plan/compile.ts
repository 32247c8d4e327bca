/**
 * Compiles a graph to a list of kernel calls with all addresses resolved.
 *
 * @module
 */
import { sizeOf } from "../../../shape.ts";
import type { KernelName, Kernels } from "../instance.ts";
import type { KernelContext, Operand } from "../kernelSpec.ts";
import { allocateResults, allocateWithin, type Allocation, bytesOf } from "./allocation.ts";
import type { Graph, Value, View } from "./graph.ts";

/** A kernel's name and its arguments. */
export type KernelCall = readonly [KernelName, ...number[]];

/** The addresses for which a graph is compiled. */
export interface BufferAddresses {
  /** Returns the address of a parameter, trainable or frozen. */
  parameter(name: string): number;
  /** Returns the address of a parameter's gradient. */
  gradient(name: string): number;
  /** Returns the address of a constant. */
  constant(data: Float32Array | Int32Array): number;
  readonly feeds: number;
  readonly results: number;
  readonly scratch: number;
  /** The graph of the largest chunk, for which the memory of the results was measured. @default the graph itself */
  readonly largest?: Graph;
}

/** A compiled graph. */
export interface Program {
  readonly calls: readonly KernelCall[];
  /** Offset of each feed in bytes. */
  readonly feedOffsets: ReadonlyMap<string, number>;
  readonly feedBytes: number;
  readonly resultBytes: number;
  readonly scratchBytes: number;
  /** Address of each output. */
  readonly outputAddresses: readonly number[];
}

/** Returns kernels that append their calls to a list. */
function recordingKernels(calls: KernelCall[]): Kernels {
  return new Proxy({} as Kernels, {
    get: (_, name) => (...args: number[]) => calls.push([name as KernelName, ...args]),
  });
}

/** Returns the results that a single node can accumulate in a parameter's gradient buffer without a copy. */
function directGradients(graph: Graph): Map<Value, string> {
  const accumulated = new Set(
    graph.nodes.flatMap(({ spec, outputs }) => (spec.accumulates ?? []).map((i) => outputs[i].value)),
  );
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs.map((input) => input?.value)));
  const direct = new Map<Value, string>();
  for (const [name, value] of graph.gradients) {
    if (accumulated.has(value) && !read.has(value) && !direct.has(value)) direct.set(value, name);
  }
  return direct;
}

const allocations = new WeakMap<Graph, Allocation>();

/** Returns the offsets of the results of a graph, which are computed once. */
function allocationOf(graph: Graph): Allocation {
  const known = allocations.get(graph) ?? allocateResults(graph, new Set(directGradients(graph).keys()));
  allocations.set(graph, known);
  return known;
}

/**
 * Compiles a graph.
 *
 * @param overwrite whether the program overwrites the gradients (beta = 0) or adds to them
 */
export function compile(graph: Graph, addresses: BufferAddresses, overwrite = false): Program {
  const direct = directGradients(graph);
  const { largest = graph } = addresses;
  const allocation = largest === graph
    ? allocationOf(graph)
    : allocateWithin(graph, largest, allocationOf(largest));
  const feedOffsets = new Map<string, number>();
  let feedBytes = 0;
  for (const [name, { size }] of graph.feeds) {
    feedOffsets.set(name, feedBytes);
    feedBytes += bytesOf(size);
  }
  const calls: KernelCall[] = [], kernels = recordingKernels(calls);
  let scratchBytes = 0;

  const address = (value: Value): number => {
    const { from } = value;
    if (from.kind === "constant") return addresses.constant(from.data);
    if (from.kind === "feed") return addresses.feeds + feedOffsets.get(from.name)!;
    if (from.kind !== "result") return addresses.parameter(from.name);
    const gradient = direct.get(value);
    if (gradient !== undefined) return addresses.gradient(gradient);
    return addresses.results + allocation.offsets.get(value)!;
  };
  const operand = ({ value, shape }: View): Operand => ({ shape, address: address(value) });

  if (overwrite) {
    const overwritten = new Set(
      graph.nodes.flatMap(({ spec, outputs }) => (spec.overwritable ?? []).map((i) => outputs[i].value)),
    );
    for (const [name, value] of graph.gradients) {
      if (direct.get(value) !== name || !overwritten.has(value)) {
        kernels.zero(addresses.gradient(name), value.size);
      }
    }
  }
  for (const { spec, inputs, outputs, attributes } of graph.nodes) {
    let nodeScratchBytes = 0;
    const scratch = (length: number) => {
      const address = addresses.scratch + nodeScratchBytes;
      nodeScratchBytes += bytesOf(length);
      scratchBytes = Math.max(scratchBytes, nodeScratchBytes);
      return address;
    };
    const context: KernelContext = { kernels, scratch, overwrite };
    const results = outputs.map(operand);
    for (const i of spec.accumulates ?? []) {
      if (!direct.has(outputs[i].value)) kernels.zero(results[i].address, sizeOf(results[i].shape));
    }
    spec.run(context, inputs.map((input) => input && operand(input)) as Operand[], results, attributes);
  }
  for (const [name, value] of graph.gradients) {
    if (direct.get(value) === name) continue;
    const gradient = addresses.gradient(name);
    kernels.add(value.size, value.size, gradient, address(value), gradient);
  }
  return {
    calls,
    feedOffsets,
    feedBytes,
    resultBytes: allocation.bytes,
    scratchBytes,
    outputAddresses: graph.outputs.map(address),
  };
}

/** Bytes that a compiled graph needs. */
export interface ProgramSizes {
  readonly feedBytes: number;
  readonly resultBytes: number;
  readonly scratchBytes: number;
  readonly constantBytes: number;
}

/** Returns the sizes of a graph's buffers. They follow from a compilation in which every address is 0. */
export function measure(graph: Graph): ProgramSizes {
  const constants = new Set<Float32Array | Int32Array>();
  const { feedBytes, resultBytes, scratchBytes } = compile(graph, {
    parameter: () => 0,
    gradient: () => 0,
    constant: (data) => (constants.add(data), 0),
    feeds: 0,
    results: 0,
    scratch: 0,
  });
  const constantBytes = [...constants].reduce((sum, { length }) => sum + bytesOf(length), 0);
  return { feedBytes, resultBytes, scratchBytes, constantBytes };
}
