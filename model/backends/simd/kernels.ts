/**
 * Our own kernels on the tensors of TensorFlow.js's WebAssembly backend: they work in its memory, so that nothing is
 * copied on the way in or out.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { instantiate, kernelModule, type Kernels } from "./instance.ts";
import { type KernelContext, type KernelSpec, type Operand, SPECS } from "./specs.ts";
import { sizeOf } from "../../shape.ts";

/** What is used of TensorFlow.js's WebAssembly backend beside its tensors. */
interface WasmBackend {
  readonly wasm: {
    readonly asm: { readonly memory: WebAssembly.Memory };
    _malloc(bytes: number): number;
    _free(at: number): void;
  };
  readonly dataIdMap: { get(id: object): { readonly memoryOffset: number } };
  incRef(id: object): void;
  makeOutput(shape: number[], dtype: "float32"): tf.TensorInfo;
}

/** A kernel's inputs by name. */
type Inputs = Readonly<Record<string, tf.TensorInfo | undefined>>;

let kernels: Kernels | null = null;
let backend: WasmBackend;
/** Blocks that operations borrow, by the order in which they ask; each grows with the largest wish. */
let blocks: { at: number; bytes: number }[] = [];

/** Memory for one operation. */
function borrow(): KernelContext {
  let next = 0;
  const scratch = (values: number) => {
    const block = blocks[next++] ??= { at: 0, bytes: 0 };
    if (4 * values > block.bytes) {
      if (block.bytes > 0) backend.wasm._free(block.at);
      block.bytes = 0;
      block.at = backend.wasm._malloc(4 * values);
      if (block.at === 0) {
        throw new WebAssembly.RuntimeError(`No ${4 * values} bytes are left for an operation`);
      }
      block.bytes = 4 * values;
    }
    return block.at;
  };
  return { kernels: kernels!, scratch, anew: false };
}

const operand = ({ shape, dataId }: tf.TensorInfo): Operand => ({
  shape,
  at: backend.dataIdMap.get(dataId).memoryOffset,
});

/** Runs an operation on tensors. */
function compute(spec: KernelSpec, inputs: Inputs, attributes: Record<string, number>): tf.TensorInfo[] {
  const given = spec.inputs.flatMap((name) => inputs[name] ?? []);
  const outputs = spec.outputs(given.map(({ shape }) => shape), attributes)
    .map((shape) => backend.makeOutput([...shape], "float32"));
  const results = outputs.map(operand);
  for (const i of spec.sums ?? []) kernels!.zero(results[i].at, sizeOf(results[i].shape));
  spec.run(borrow(), given.map(operand), results, attributes);
  return outputs;
}

/** A second name for the same values: tensors never change, so that TensorFlow.js's copy is not needed. */
function identity({ x }: Inputs): tf.TensorInfo {
  backend.incRef(x!.dataId);
  return { dataId: x!.dataId, shape: x!.shape, dtype: x!.dtype };
}

/**
 * Puts the kernels into the WebAssembly backend, which must be the one in use.
 *
 * @returns how products are summed: `relaxed` (fused multiply-add) or `plain`
 * @throws {WebAssembly.LinkError} when the backend's memory cannot be used
 */
export function installKernels(): "relaxed" | "plain" {
  backend = tf.backend() as unknown as WasmBackend;
  const { memory } = backend.wasm.asm;
  const { module, build } = kernelModule(false);
  const instance = instantiate(module, memory);
  if (kernels === null) {
    for (const [kernelName, spec] of Object.entries(SPECS)) {
      tf.registerKernel({
        kernelName,
        backendName: "wasm",
        kernelFunc: ({ inputs, attrs }) =>
          compute(spec, inputs as unknown as Inputs, (attrs ?? {}) as Record<string, number>),
      });
    }
    tf.unregisterKernel("Identity", "wasm");
    tf.registerKernel({
      kernelName: "Identity",
      backendName: "wasm",
      kernelFunc: ({ inputs }) => identity(inputs as unknown as Inputs),
    });
  }
  kernels = instance;
  blocks = [];
  return build;
}
