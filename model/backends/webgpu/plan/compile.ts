/**
 * Binds the dispatches of a step to the buffers of a device.
 *
 * @module
 */
import { PlanError } from "../../../planError.ts";
import type { Graph, Value } from "../../simd/plan/graph.ts";
import { recordLossCall, updateCall } from "../kernels/update.ts";
import { gridOf, type Launcher } from "../launcher.ts";
import type { Call } from "../program.ts";
import type { DispatchPlan, PlannedDispatch, Source } from "./dispatches.ts";
import { FeedBuffer } from "./feedBuffer.ts";
import { type FlatLayout, type GradientLayout, gradientLayout } from "./parameterLayout.ts";
import type { Parameters } from "./parameters.ts";
import { assignSlots } from "./slots.ts";

/** Distance in bytes between the uniforms of two dispatches. */
const UNIFORM_STRIDE = 256;

/** What the steps over batches of all sizes share. */
export interface SharedBuffers {
  readonly launcher: Launcher;
  readonly parameters: Parameters;
  readonly losses: GPUBuffer;
  /** Not zero after a loss that is not finite. */
  readonly failed: GPUBuffer;
  /** Buffers of results, by their index. A smaller batch uses those of a larger one. */
  readonly slots: GPUBuffer[];
  /** Size of the largest buffer that a program may bind. */
  readonly maxBytes: number;
}

/** A dispatch that is ready to be encoded. */
interface Command {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly grid: [number, number];
}

/** A step over batches of one size. */
export interface CompiledStep {
  readonly feeds: FeedBuffer;
  /** Encodes all dispatches of the step. */
  encode(pass: GPUComputePassEncoder): void;
  /** Frees the buffers that only this step uses. */
  destroy(): void;
}

/** A dispatch and the bindings of its operands. */
interface BoundCall {
  readonly call: Call;
  readonly bindings: readonly GPUBufferBinding[];
}

/** The end of a step: the loss is recorded, then each segment of the parameters is updated. */
export function updateDispatches(loss: number, parameters: FlatLayout, { tables }: GradientLayout): Call[] {
  return [recordLossCall(loss), ...parameters.segments.map((_, i) => updateCall(tables[i].length / 4))];
}

/** Creates the buffers of a step and its bind groups. @throws {PlanError} when a result is too large for the device */
export function compile(graph: Graph, plan: DispatchPlan, shared: SharedBuffers): CompiledStep {
  const { launcher, parameters, slots, maxBytes } = shared, { device } = launcher.backend;
  const own: GPUBuffer[] = [];
  const upload = (label: string, data: BufferSource & { byteLength: number }, usage: number): GPUBuffer => {
    const buffer = device.createBuffer({
      label,
      size: data.byteLength,
      usage: usage | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, data);
    own.push(buffer);
    return buffer;
  };

  const assigned = assignSlots(plan.dispatches, new Set([plan.loss]), slots.map(({ size }) => size));
  const largest = Math.max(...assigned.bytes);
  if (largest > maxBytes) {
    throw new PlanError(`a step has results of ${largest} bytes, but a buffer only ${maxBytes}`);
  }
  for (const size of assigned.bytes.slice(slots.length)) {
    slots.push(device.createBuffer({ label: "results", size, usage: GPUBufferUsage.STORAGE }));
  }
  const gradients = gradientLayout(parameters.trainable, plan.splits, maxBytes);
  const gradientBuffers = gradients.segments.map((size) => {
    const buffer = device.createBuffer({ label: "gradients", size: 4 * size, usage: GPUBufferUsage.STORAGE });
    own.push(buffer);
    return buffer;
  });
  const feeds = new FeedBuffer(device, graph, plan.feeds);
  const constants = new Map<Value, GPUBuffer>();
  const bindingOf = (source: Source): GPUBufferBinding => {
    const { from, size } = source;
    switch (from.kind) {
      case "result":
        return { buffer: slots[assigned.slotOf.get(source)!], offset: 0, size: 4 * size };
      case "feed":
        return feeds.binding(from.name);
      case "constant": {
        const value = source as Value;
        const buffer = constants.get(value) ??
          upload("constant", from.data as Float32Array<ArrayBuffer>, GPUBufferUsage.STORAGE);
        constants.set(value, buffer);
        return { buffer };
      }
      case "gradient": {
        const { segment, offset, size } = gradients.places.get(from.name)!;
        return { buffer: gradientBuffers[segment], offset: 4 * offset, size: 4 * size };
      }
      default:
        return parameters.binding(from.name);
    }
  };

  const bound: BoundCall[] = plan.dispatches.map((call: PlannedDispatch) => ({
    call,
    bindings: [...call.writes, ...call.reads].map(bindingOf),
  }));
  const [record, ...updates] = updateDispatches(plan.loss.size, parameters.trainable, gradients);
  bound.push({
    call: record,
    bindings: [{ buffer: shared.losses }, { buffer: shared.failed }, bindingOf(plan.loss), feeds.header],
  });
  updates.forEach((call, i) => {
    const arrays = [parameters.values, parameters.expAvg, parameters.expAvgSq];
    const table = upload("table", gradients.tables[i], GPUBufferUsage.STORAGE);
    const buffers = [...arrays.map(({ buffers }) => buffers[i]), gradientBuffers[i], table];
    const bindings = [...buffers.map((buffer) => ({ buffer })), feeds.header, { buffer: shared.failed }];
    bound.push({ call, bindings });
  });

  const uniforms = new ArrayBuffer(UNIFORM_STRIDE * bound.length);
  const uniformBuffer = upload("uniforms", fillUniforms(uniforms, bound), GPUBufferUsage.UNIFORM);
  const commands = bound.map(({ call, bindings }, i): Command => {
    const { pipeline, layout } = launcher.pipeline(call.program);
    const uniform = { buffer: uniformBuffer, offset: i * UNIFORM_STRIDE, size: 4 * call.uniforms.length };
    const entries = [...bindings, uniform].map((resource, binding) => ({ binding, resource }));
    const bindGroup = device.createBindGroup({ label: call.program.name, layout, entries });
    return { pipeline, bindGroup, grid: gridOf(call.groups, device) };
  });
  return {
    feeds,
    encode(pass) {
      for (const { pipeline, bindGroup, grid } of commands) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...grid);
      }
    },
    destroy() {
      feeds.destroy();
      for (const buffer of own) buffer.destroy();
    },
  };
}

/** Writes the uniforms of all calls, each at a multiple of the stride. */
function fillUniforms(target: ArrayBuffer, calls: readonly BoundCall[]): ArrayBuffer {
  const view = new DataView(target);
  calls.forEach(({ call: { program, uniforms } }, i) => {
    const types = Object.values(program.uniforms);
    uniforms.forEach((value, u) => {
      const address = i * UNIFORM_STRIDE + 4 * u;
      if (types[u] === "f32") view.setFloat32(address, value, true);
      else view.setUint32(address, value, true);
    });
  });
  return target;
}
