/**
 * A recorded step as a list of calls of the kernels, all addresses known.
 *
 * @module
 */
import type { KernelName, Kernels } from "../instance.ts";
import { sizeOf } from "../../../shape.ts";
import type { KernelContext, Operand } from "../kernelSpec.ts";
import type { Graph, Use, Value } from "./graph.ts";
import { bytesOf, layOut } from "./layout.ts";
import { WEIGHT } from "./record.ts";

/** A call: the kernel's name and its arguments. */
export type Call = readonly [KernelName, ...number[]];

/** Addresses that a program is made for. */
export interface Places {
  /** By parameter, frozen ones too. */
  parameter(name: string): number;
  /** Of a parameter's gradient, which the program adds to. */
  gradient(name: string): number;
  /** Of a constant. */
  constant(data: Float32Array | Int32Array): number;
  /** Where feeds lie. */
  readonly feeds: number;
  /** Where results lie. */
  readonly results: number;
  /** Where operations have their scratch. */
  readonly scratch: number;
}

/** Forward and backward pass over some images. */
export interface Program {
  readonly calls: readonly Call[];
  /** Each feed's distance in bytes from the first, in the order of the recording. */
  readonly feedOffsets: ReadonlyMap<string, number>;
  readonly feedBytes: number;
  readonly resultBytes: number;
  readonly scratchBytes: number;
  /** Address of the loss. */
  readonly lossAt: number;
  /** Address of the weight of these images in the batch. */
  readonly weightAt: number;
}

/** Kernels that write their calls down. */
function writer(calls: Call[]): Kernels {
  return new Proxy({} as Kernels, {
    get: (_, name) => (...numbers: number[]) => calls.push([name as KernelName, ...numbers]),
  });
}

/** Results that a single operation adds up, straight into a gradient of a parameter. */
function directGradients(graph: Graph): Map<Value, string> {
  const sums = new Set(
    graph.nodes.flatMap(({ spec, outputs }) => (spec.accumulates ?? []).map((i) => outputs[i].value)),
  );
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs.map((use) => use?.value)));
  const direct = new Map<Value, string>();
  for (const [name, value] of graph.gradients) {
    if (sums.has(value) && !read.has(value) && !direct.has(value)) direct.set(value, name);
  }
  return direct;
}

/**
 * Makes a program of a recorded step.
 *
 * @param anew whether gradients hold nothing yet: they are written, not added to
 */
export function compile(graph: Graph, places: Places, anew = false): Program {
  const direct = directGradients(graph);
  const layout = layOut(graph, new Set(direct.keys()));
  const feedOffsets = new Map<string, number>();
  let feedBytes = 0;
  for (const [name, { size }] of graph.feeds) {
    feedOffsets.set(name, feedBytes);
    feedBytes += bytesOf(size);
  }
  const calls: Call[] = [], kernels = writer(calls);
  let scratchBytes = 0;

  const address = (value: Value): number => {
    const { from } = value;
    if (from.kind === "constant") return places.constant(from.data);
    if (from.kind === "feed") return places.feeds + feedOffsets.get(from.name)!;
    if (from.kind !== "result") return places.parameter(from.name);
    const gradient = direct.get(value);
    return gradient === undefined ? places.results + layout.offsets.get(value)! : places.gradient(gradient);
  };
  const operand = ({ value, shape }: Use): Operand => ({ shape, address: address(value) });

  if (anew) {
    const written = new Set(
      graph.nodes.flatMap(({ spec, outputs }) => (spec.overwritable ?? []).map((i) => outputs[i].value)),
    );
    for (const [name, value] of graph.gradients) {
      if (direct.get(value) !== name || !written.has(value)) kernels.zero(places.gradient(name), value.size);
    }
  }
  for (const { spec, inputs, outputs, attributes } of graph.nodes) {
    let borrowed = 0;
    const scratch = (values: number) => {
      const at = places.scratch + borrowed;
      borrowed += bytesOf(values);
      scratchBytes = Math.max(scratchBytes, borrowed);
      return at;
    };
    const context: KernelContext = { kernels, scratch, overwrite: anew };
    const results = outputs.map(operand);
    for (const i of spec.accumulates ?? []) {
      if (!direct.has(outputs[i].value)) kernels.zero(results[i].address, sizeOf(results[i].shape));
    }
    spec.run(context, inputs.map((given) => given && operand(given)) as Operand[], results, attributes);
  }
  for (const [name, value] of graph.gradients) {
    if (direct.get(value) === name) continue;
    const at = places.gradient(name);
    kernels.add(value.size, value.size, at, address(value), at);
  }
  return {
    calls,
    feedOffsets,
    feedBytes,
    resultBytes: layout.bytes,
    scratchBytes,
    lossAt: address(graph.loss),
    weightAt: places.feeds + feedOffsets.get(WEIGHT)!,
  };
}
