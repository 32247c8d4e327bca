/**
 * Runs programs on tensors of TensorFlow.js's backend, among the commands of its own operations. Its own way to run a
 * program has one output only, and our operations have up to three.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { WebgpuBackend } from "./backend.ts";
import { ELEMENT_THREADS, type Program } from "./program.ts";

/** Tensors and numbers of one run. */
export interface Run {
  /** In the order of the program's `reads`. */
  readonly reads: readonly tf.Tensor[];
  /** In the order of its `writes`: a shape for a new tensor, or a tensor of which this run writes a part. */
  readonly writes: readonly (readonly number[] | tf.Tensor)[];
  /** In the order of its `numbers`. */
  readonly numbers: readonly number[];
  /** Workgroups. */
  readonly groups: number;
}

interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Runs programs on a device. */
export class Launcher {
  readonly #pipelines = new Map<Program, Pipeline>();

  constructor(readonly backend: WebgpuBackend) {}

  /**
   * Adds a run to the device's commands.
   *
   * @returns the tensors of `writes`, float32
   */
  run(program: Program, { reads, writes, numbers, groups }: Run): tf.Tensor[] {
    const { backend } = this;
    const outputs = writes.map((write) => write instanceof tf.Tensor ? write : this.newTensor(write));
    const { pipeline, layout } = this.#pipeline(program);
    const types = Object.values(program.numbers);
    const uniforms = backend.makeUniforms(numbers.map((number, at) => ({
      type: types[at] === "f32" ? "float32" : "uint32",
      data: [number],
    })));
    const resources = [...outputs, ...reads].map((tensor): GPUBufferBinding => ({
      buffer: this.buffer(tensor),
    }));
    const entries = [...resources, uniforms].map((resource, binding) => ({ binding, resource }));
    const bindGroup = backend.device.createBindGroup({ layout, entries });
    backend.ensureCommandEncoderReady();
    const pass = backend.computePassEncoder ??= backend.commandEncoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    const most = backend.device.limits.maxComputeWorkgroupsPerDimension, lines = Math.ceil(groups / most);
    pass.dispatchWorkgroups(Math.ceil(groups / lines), lines);
    backend.dispatchCountInPass++;
    this.#submitIfDue();
    return outputs;
  }

  /** Runs a program of `elementwise` on so many elements. */
  runElements(program: Program, size: number, run: Omit<Run, "groups">): tf.Tensor[] {
    const groups = Math.ceil(size / ELEMENT_THREADS);
    return this.run(program, { ...run, numbers: [size, ...run.numbers], groups });
  }

  /** A float32 tensor whose values are still to be written. */
  newTensor(shape: readonly number[]): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.backend.makeTensorInfo([...shape], "float32"));
  }

  /** The buffer of a tensor, which the commands to come may use. */
  buffer(tensor: tf.Tensor): GPUBuffer {
    const { backend } = this;
    backend.uploadToGPU(tensor.dataId);
    backend.commandQueueOwnedIds.add(tensor.dataId);
    return backend.tensorMap.get(tensor.dataId).resource;
  }

  /** Adds copies of whole tensors into others to the device's commands, from a value to a value on. */
  copy(
    copies: readonly { from: tf.Tensor; at?: number; to: tf.Tensor; place?: number; size: number }[],
  ): void {
    const { backend } = this;
    // Uploading may end the pass and the copies need none, so buffers come first.
    const buffers = copies.map(({ from, to }) => [this.buffer(from), this.buffer(to)]);
    backend.ensureCommandEncoderReady();
    backend.endComputePassEncoder();
    copies.forEach(({ at = 0, place = 0, size }, i) =>
      backend.commandEncoder.copyBufferToBuffer(buffers[i][0], 4 * at, buffers[i][1], 4 * place, 4 * size)
    );
  }

  #submitIfDue(): void {
    const { backend } = this;
    if (backend.dispatchCountInPass < tf.env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE")) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  #pipeline(program: Program): Pipeline {
    const known = this.#pipelines.get(program);
    if (known) return known;
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
    const made = { pipeline, layout };
    this.#pipelines.set(program, made);
    return made;
  }
}
