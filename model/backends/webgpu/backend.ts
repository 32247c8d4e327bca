/**
 * The internals of TensorFlow.js's WebGPU backend that our kernels use. They are not a public interface, so the version
 * of the package is pinned.
 *
 * @module
 */
import type * as tf from "@tensorflow/tfjs-core";

/** A number in a program's uniform buffer. */
export interface Uniform {
  readonly type: "uint32" | "float32";
  readonly data: number[];
}

/** Manages the buffers of a device. */
export interface BufferManager {
  /** Unused buffers by size and usage. */
  readonly freeBuffers: ReadonlyMap<string, GPUBuffer[]>;
  readonly numBytesUsed: number;
  numBytesAllocated: number;
  numFreeBuffers: number;
}

/** TensorFlow.js's WebGPU backend. */
export interface WebgpuBackend extends tf.KernelBackend {
  readonly device: GPUDevice;
  readonly tensorMap: { get(id: object): { readonly resource: GPUBuffer } };
  /** Tensors that commands use which are not submitted yet. Their buffers must not be reused. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  readonly bufferManager: BufferManager;
  readonly commandEncoder: GPUCommandEncoder;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  /** Returns a tensor without values. */
  makeTensorInfo(shape: number[], dtype: "float32"): tf.TensorInfo;
  /** Allocates the buffer of a tensor, and uploads its values if they are on the host. */
  uploadToGPU(id: object): void;
  /** Returns a buffer of numbers, each at a multiple of 4 bytes. */
  makeUniforms(uniforms: Uniform[]): GPUBufferBinding;
  /** Opens `commandEncoder` if none is open. */
  ensureCommandEncoderReady(): void;
  /** Closes `computePassEncoder` if one is open. */
  endComputePassEncoder(): void;
  /** Submits all commands to the device. The pass must be closed. */
  submitQueue(): void;
}

/** Exports of the package. */
export interface WebgpuPackage {
  readonly WebGPUBackend: new (device: GPUDevice, info: GPUAdapterInfo) => WebgpuBackend;
}
