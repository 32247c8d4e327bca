/**
 * Registers the kernels with TensorFlow.js's WebAssembly backend. They compute in its memory, so no tensor is copied.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { sizeOf } from "../../shape.ts";
import { instantiate, type Kernels, loadKernels } from "./instance.ts";
import type { KernelContext, KernelSpec, Operand } from "./kernelSpec.ts";
import { SPECS } from "./specs.ts";

/** The internals of TensorFlow.js's WebAssembly backend that the kernels need. */
interface WasmBackend {
  readonly wasm: {
    readonly asm: { readonly memory: WebAssembly.Memory };
    _malloc(bytes: number): number;
    _free(address: number): void;
  };
  readonly dataIdMap: { get(id: object): { readonly memoryOffset: number } };
  incRef(id: object): void;
  makeOutput(shape: number[], dtype: "float32"): tf.TensorInfo;
}

/** A kernel's inputs by name. */
type Inputs = Readonly<Record<string, tf.TensorInfo | undefined>>;

let kernels: Kernels | null = null;
let backend: WasmBackend;
/** Scratch buffers by the order in which an operation requests them. They grow to the largest request. */
let scratchBuffers: { address: number; bytes: number }[] = [];

/** Returns the context of one operation. */
function operationContext(): KernelContext {
  let next = 0;
  const scratch = (length: number) => {
    const buffer = scratchBuffers[next++] ??= { address: 0, bytes: 0 };
    if (4 * length > buffer.bytes) {
      if (buffer.bytes > 0) backend.wasm._free(buffer.address);
      buffer.bytes = 0;
      buffer.address = backend.wasm._malloc(4 * length);
      if (buffer.address === 0) {
        throw new WebAssembly.RuntimeError(`Cannot allocate ${4 * length} bytes of scratch memory`);
      }
      buffer.bytes = 4 * length;
    }
    return buffer.address;
  };
  return { kernels: kernels!, scratch, overwrite: false };
}

const operand = ({ shape, dataId }: tf.TensorInfo): Operand => ({
  shape,
  address: backend.dataIdMap.get(dataId).memoryOffset,
});

/** Runs an operation on tensors. */
function compute(spec: KernelSpec, inputs: Inputs, attributes: Record<string, number>): tf.TensorInfo[] {
  const present = spec.inputs.flatMap((name) => inputs[name] ?? []);
  const outputs = spec.outputs(present.map(({ shape }) => shape), attributes)
    .map((shape) => backend.makeOutput([...shape], "float32"));
  const results = outputs.map(operand);
  for (const i of spec.accumulates ?? []) kernels!.zero(results[i].address, sizeOf(results[i].shape));
  spec.run(operationContext(), present.map(operand), results, attributes);
  return outputs;
}

/** Returns a second reference to the same values, without the copy that TensorFlow.js makes: tensors are immutable. */
function identity({ x }: Inputs): tf.TensorInfo {
  backend.incRef(x!.dataId);
  return { dataId: x!.dataId, shape: x!.shape, dtype: x!.dtype };
}

/**
 * Registers the kernels with the WebAssembly backend, which must be the current one.
 *
 * @throws {WebAssembly.LinkError} when the backend's memory cannot be used
 */
export function installKernels(): void {
  backend = tf.backend() as unknown as WasmBackend;
  const { memory } = backend.wasm.asm;
  const instance = instantiate(loadKernels({ shared: false }), memory);
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
  scratchBuffers = [];
}
