/**
 * Optimisations of a graph.
 *
 * @module
 */
import { PLAIN_SPECS, SPECS } from "../specs.ts";
import { type Graph, type Node, outputsOf, readersOf } from "./graph.ts";

/** Removes the nodes that neither an output nor a gradient depends on. */
function eliminateDeadNodes(graph: Graph): Graph {
  const live = outputsOf(graph);
  const nodes = graph.nodes.toReversed().filter(({ inputs, outputs }) => {
    const used = outputs.some(({ value }) => live.has(value));
    if (used) { for (const input of inputs) if (input) live.add(input.value); }
    return used;
  }).toReversed();
  return { ...graph, nodes };
}

/**
 * Fuses linear layers with residual additions: where the only reader of a linear layer's output adds it to a value
 * that exists before, the layer's matrix product adds that value.
 */
function fuseResiduals(graph: Graph): Graph {
  const readers = readersOf(graph.nodes), outputs = outputsOf(graph);
  const producer = new Map(
    graph.nodes.flatMap(({ outputs }, i) => outputs.map(({ value }) => [value, i] as const)),
  );
  const nodes: (Node | null)[] = [...graph.nodes];
  graph.nodes.forEach((node, i) => {
    if (node.spec !== SPECS.UnmaskLinear) return;
    const [{ value, shape }] = node.outputs;
    const [reader, ...others] = readers.get(value) ?? [];
    if (reader === undefined || others.length > 0 || outputs.has(value) || node.inputs[3]) return;
    const sum = nodes[reader];
    if (sum?.spec !== PLAIN_SPECS.Add) return;
    const residual = sum.inputs.find((input) => input!.value !== value);
    // A constant has the size of the output only in a chunk of one image, and the bits must not depend on the chunk.
    if (residual?.value.from.kind === "constant") return;
    if (!residual || residual.value.size !== value.size || (producer.get(residual.value) ?? -1) >= i) return;
    nodes[i] = {
      ...node,
      inputs: [...node.inputs.slice(0, 3), { value: residual.value, shape }],
      outputs: [{ value: sum.outputs[0].value, shape }],
    };
    nodes[reader] = null;
  });
  return { ...graph, nodes: nodes.filter((node) => node !== null) };
}

/** Applies all optimisations. */
export function optimize(graph: Graph): Graph {
  return fuseResiduals(eliminateDeadNodes(graph));
}
