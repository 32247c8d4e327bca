/**
 * Binds the operands of planned dispatches to buffers.
 *
 * @module
 */
import { PlanError } from "../../../planError.ts";
import type { Graph, Value } from "../../simd/plan/graph.ts";
import type { BoundCall } from "./commands.ts";
import type { DispatchPlan, Source } from "./dispatches.ts";
import { FeedBuffer } from "./feedBuffer.ts";
import { assignSlots } from "./slots.ts";

/** The buffers outside a plan. */
export interface OuterBuffers {
  readonly device: GPUDevice;
  /** Size of the largest buffer that a program may bind. */
  readonly maxBytes: number;
  /** Buffers of results, by their index. Plans share them, because they do not run at the same time. */
  readonly slots: GPUBuffer[];
  /** Returns the binding of a parameter. */
  parameter(name: string): GPUBufferBinding;
  /** Returns the binding of a parameter's partial gradients. */
  gradient(name: string): GPUBufferBinding;
}

/** Size of the largest buffer that a program may bind on a device. */
export const maxBytesOf = ({ limits }: GPUDevice): number =>
  Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);

/** Creates a buffer with the given values. */
export function newBuffer(device: GPUDevice, label: string, data: BufferSource): GPUBuffer {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ label, size: data.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, data);
  return buffer;
}

/** The calls of a plan, and the buffers that only it uses. */
export class BoundPlan {
  readonly feeds: FeedBuffer;
  readonly calls: readonly BoundCall[];
  /** The binding of the output. */
  readonly output: GPUBufferBinding;
  readonly #outer: OuterBuffers;
  readonly #slotOf: ReadonlyMap<Source, number>;
  readonly #constants = new Map<Value, GPUBuffer>();

  /** @throws {PlanError} when a result is too large for the device */
  constructor(graph: Graph, plan: DispatchPlan, outer: OuterBuffers) {
    const { device, slots, maxBytes } = outer;
    this.#outer = outer;
    const sizes = slots.map(({ size }) => size);
    const { bytes, slotOf } = assignSlots(plan.dispatches, new Set([plan.output]), sizes);
    const largest = Math.max(...bytes);
    if (largest > maxBytes) {
      throw new PlanError(`a pass has results of ${largest} bytes, but a buffer only ${maxBytes}`);
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
    for (const size of bytes.slice(slots.length)) {
      slots.push(device.createBuffer({ label: "results", size, usage }));
    }
    this.#slotOf = slotOf;
    this.feeds = new FeedBuffer(device, graph, plan.feeds);
    this.calls = plan.dispatches.map((call) => ({
      call,
      bindings: [...call.writes, ...call.reads].map((source) => this.#binding(source)),
    }));
    this.output = this.#binding(plan.output);
  }

  /** Frees the buffers that only this plan uses. */
  destroy(): void {
    this.feeds.destroy();
    for (const buffer of this.#constants.values()) buffer.destroy();
  }

  #binding(source: Source): GPUBufferBinding {
    const { from, size } = source;
    switch (from.kind) {
      case "result":
        return { buffer: this.#outer.slots[this.#slotOf.get(source)!], offset: 0, size: 4 * size };
      case "feed":
        return this.feeds.binding(from.name);
      case "gradient":
        return this.#outer.gradient(from.name);
      case "constant":
        return { buffer: this.#constant(source as Value, from.data) };
      default:
        return this.#outer.parameter(from.name);
    }
  }

  #constant(value: Value, data: Float32Array | Int32Array): GPUBuffer {
    const buffer = this.#constants.get(value) ??
      newBuffer(this.#outer.device, "constant", data as Float32Array<ArrayBuffer>);
    this.#constants.set(value, buffer);
    return buffer;
  }
}
