/**
 * Dispatches programs on tensors of TensorFlow.js's backend, in the command queue that the backend uses for
 * its operations. The backend's dispatch supports a single output; our operations have up to three.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { WebgpuBackend } from "./backend.ts";
import type { Call, Program } from "./program.ts";

/** Buffers of one dispatch. */
export interface Operands {
  /** Input tensors, in the order of the program's `reads`. */
  readonly reads: readonly tf.Tensor[];
  /** Outputs, in the order of the program's `writes`: the shape of a new tensor, or an existing tensor. */
  readonly writes: readonly (readonly number[] | tf.Tensor)[];
}

/** A copy of `size` values between two tensors. Offsets are in values, 0 by default. */
export interface Copy {
  readonly from: tf.Tensor;
  readonly fromOffset?: number;
  readonly to: tf.Tensor;
  readonly toOffset?: number;
  readonly size: number;
}

/** A compiled program. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Returns the size of a two-dimensional grid of at least `groups` workgroups. */
export function gridOf(groups: number, { limits }: GPUDevice): [columns: number, rows: number] {
  const rows = Math.ceil(groups / limits.maxComputeWorkgroupsPerDimension);
  return [Math.ceil(groups / rows), rows];
}

/** Dispatches programs on a device. Pipelines are compiled once. */
export class Launcher {
  readonly #pipelines = new Map<Program, Pipeline>();

  constructor(readonly backend: WebgpuBackend) {}

  /**
   * Adds a dispatch to the command queue.
   *
   * @returns the tensors of `writes`, float32
   */
  run({ program, uniforms, groups }: Call, { reads, writes }: Operands): tf.Tensor[] {
    const { backend } = this;
    const outputs = writes.map((write) => write instanceof tf.Tensor ? write : this.newTensor(write));
    const { pipeline, layout } = this.pipeline(program);
    const types = Object.values(program.uniforms);
    const uniformBuffer = backend.makeUniforms(uniforms.map((value, i) => ({
      type: types[i] === "f32" ? "float32" : "uint32",
      data: [value],
    })));
    const resources = [...outputs, ...reads].map((tensor): GPUBufferBinding => ({
      buffer: this.buffer(tensor),
    }));
    const entries = [...resources, uniformBuffer].map((resource, binding) => ({ binding, resource }));
    const bindGroup = backend.device.createBindGroup({ layout, entries });
    backend.ensureCommandEncoderReady();
    const pass = backend.computePassEncoder ??= backend.commandEncoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...gridOf(groups, backend.device));
    backend.dispatchCountInPass++;
    this.#submitIfDue();
    return outputs;
  }

  /** Returns a new float32 tensor with undefined values. */
  newTensor(shape: readonly number[]): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.backend.makeTensorInfo([...shape], "float32"));
  }

  /** Returns the buffer of a tensor, for commands that are submitted next. */
  buffer(tensor: tf.Tensor): GPUBuffer {
    const { backend } = this;
    backend.uploadToGPU(tensor.dataId);
    backend.commandQueueOwnedIds.add(tensor.dataId);
    return backend.tensorMap.get(tensor.dataId).resource;
  }

  /** Adds copies to the command queue. */
  copy(copies: readonly Copy[]): void {
    const { backend } = this;
    // An upload may end the pass. It must therefore come before the commands of the copies.
    const buffers = copies.map(({ from, to }) => [this.buffer(from), this.buffer(to)]);
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    copies.forEach(({ fromOffset = 0, toOffset = 0, size }, i) => {
      const [from, to] = buffers[i];
      backend.commandEncoder.copyBufferToBuffer(from, 4 * fromOffset, to, 4 * toOffset, 4 * size);
    });
  }

  #submitIfDue(): void {
    const { backend } = this;
    if (backend.dispatchCountInPass < tf.env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE")) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  /** Returns a compiled program. */
  pipeline(program: Program): Pipeline {
    const cached = this.#pipelines.get(program);
    if (cached) return cached;
    const { device } = this.backend, { name, code, writes, reads } = program;
    const types: GPUBufferBindingType[] = [
      ...Object.keys(writes).map(() => "storage" as const),
      ...Object.keys(reads).map(() => "read-only-storage" as const),
      "uniform",
    ];
    const layout = device.createBindGroupLayout({
      entries: types.map((type, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type },
      })),
    });
    const pipeline = device.createComputePipeline({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: device.createShaderModule({ label: name, code }), entryPoint: "main" },
    });
    const compiled = { pipeline, layout };
    this.#pipelines.set(program, compiled);
    return compiled;
  }
}
