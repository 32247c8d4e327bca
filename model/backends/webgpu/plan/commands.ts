/**
 * Dispatches that are ready to be encoded.
 *
 * @module
 */
import { gridOf, type Launcher } from "../launcher.ts";
import type { Call } from "../program.ts";

/** Distance in bytes between the uniforms of two dispatches. */
const UNIFORM_STRIDE = 256;

/** A dispatch and the bindings of its operands. */
export interface BoundCall {
  readonly call: Call;
  readonly bindings: readonly GPUBufferBinding[];
}

interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: [number, number];
}

/** A list of dispatches with their pipelines, bind groups and uniforms. */
export class Commands {
  readonly #device: GPUDevice;
  readonly #uniforms: GPUBuffer;
  readonly #commands: readonly Command[];

  /** Creates the bind groups. */
  constructor(launcher: Launcher, calls: readonly BoundCall[]) {
    const { device } = launcher.backend, data = uniformsOf(calls);
    this.#device = device;
    this.#uniforms = device.createBuffer({
      label: "uniforms",
      size: data.byteLength,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(this.#uniforms, 0, data);
    this.#commands = calls.map(({ call, bindings }, i) => {
      const { pipeline, layout } = launcher.pipeline(call.program);
      const uniform = { buffer: this.#uniforms, offset: i * UNIFORM_STRIDE, size: 4 * call.uniforms.length };
      const entries = [...bindings, uniform].map((resource, binding) => ({ binding, resource }));
      const bindGroup = device.createBindGroup({ label: call.program.name, layout, entries });
      return { pipeline, bindGroup, grid: gridOf(call.groups, device) };
    });
  }

  /** Submits all dispatches as one command buffer. */
  submit(): void {
    const encoder = this.#device.createCommandEncoder(), pass = encoder.beginComputePass();
    for (const { pipeline, bindGroup, grid } of this.#commands) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...grid);
    }
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Frees the memory. */
  destroy(): void {
    this.#uniforms.destroy();
  }
}

/** Returns the uniforms of all calls, each at a multiple of the stride. */
function uniformsOf(calls: readonly BoundCall[]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(UNIFORM_STRIDE * calls.length));
  calls.forEach(({ call: { program, uniforms } }, i) => {
    const types = Object.values(program.uniforms);
    uniforms.forEach((value, u) => {
      const address = i * UNIFORM_STRIDE + 4 * u;
      if (types[u] === "f32") view.setFloat32(address, value, true);
      else view.setUint32(address, value, true);
    });
  });
  return view.buffer;
}
