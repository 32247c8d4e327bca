/**
 * What we use of TensorFlow.js's WebGPU backend beside its operations. Its version is pinned: these are its insides.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs-core";

/** A number that a program reads, as the backend takes it. */
export interface Uniform {
  readonly type: "uint32" | "float32";
  readonly data: number[];
}

/** TensorFlow.js's WebGPU backend. */
export interface WebgpuBackend extends tf.KernelBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(id: object): { readonly resource: GPUBuffer } };
  /** Tensors that commands read or write which are not submitted yet: their buffers must not be used again. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  readonly commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  makeTensorInfo(shape: number[], dtype: "float32"): tf.TensorInfo;
  uploadToGPU(id: object): void;
  makeUniforms(uniforms: Uniform[]): GPUBufferBinding;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
}

/** What its package exports. */
export interface WebgpuPackage {
  readonly WebGPUBackend: new (device: GPUDevice, info: GPUAdapterInfo) => WebgpuBackend;
}
