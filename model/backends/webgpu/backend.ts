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

/** Its buffers, by size and usage. */
export interface BufferManager {
  readonly freeBuffers: ReadonlyMap<string, GPUBuffer[]>;
  readonly numBytesUsed: number;
  numBytesAllocated: number;
  numFreeBuffers: number;
}

/** TensorFlow.js's WebGPU backend. */
export interface WebgpuBackend extends tf.KernelBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(id: object): { readonly resource: GPUBuffer } };
  /** Tensors that commands read or write which are not submitted yet: their buffers must not be used again. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  readonly bufferManager: BufferManager;
  readonly commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  /** A tensor without values. */
  makeTensorInfo(shape: number[], dtype: "float32"): tf.TensorInfo;
  /** Gives a tensor its buffer, with its values where they are on the host. */
  uploadToGPU(id: object): void;
  /** A buffer of numbers, each at a multiple of 4 bytes. */
  makeUniforms(uniforms: Uniform[]): GPUBufferBinding;
  /** Opens `commandEncoder` where there is none. */
  ensureCommandEncoderReady(): void;
  /** Closes `computePassEncoder` where there is one. */
  endComputePassEncoder(): void;
  /** Sends all commands to the device. The pass must be closed. */
  submitQueue(): void;
}

/** What its package exports. */
export interface WebgpuPackage {
  readonly WebGPUBackend: new (device: GPUDevice, info: GPUAdapterInfo) => WebgpuBackend;
}
