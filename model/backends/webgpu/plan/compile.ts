/**
 * Compiles a training step: forward and backward pass, the record of the loss, and the update of the parameters.
 *
 * @module
 */
import type { Graph } from "../../simd/plan/graph.ts";
import { recordLossCall, updateCall } from "../kernels/update.ts";
import type { Launcher } from "../launcher.ts";
import type { Call } from "../program.ts";
import { BoundPlan, newBuffer } from "./bindings.ts";
import { Commands } from "./commands.ts";
import type { DispatchPlan } from "./dispatches.ts";
import type { FeedBuffer } from "./feedBuffer.ts";
import { type FlatLayout, type GradientLayout, gradientLayout } from "./parameterLayout.ts";
import type { Parameters } from "./parameters.ts";

/** What the steps over batches of all sizes share. */
export interface SharedBuffers {
  readonly launcher: Launcher;
  readonly parameters: Parameters;
  readonly losses: GPUBuffer;
  /** Not zero after a loss that is not finite. */
  readonly failed: GPUBuffer;
  /** Buffers of results, by their index. */
  readonly slots: GPUBuffer[];
  /** Size of the largest buffer that a program may bind. */
  readonly maxBytes: number;
}

/** A step over batches of one size. */
export interface CompiledStep {
  readonly feeds: FeedBuffer;
  /** Submits the step. */
  submit(): void;
  /** Frees the buffers that only this step uses. */
  destroy(): void;
}

/** The end of a step: the loss is recorded, then each segment of the parameters is updated. */
export function updateDispatches(loss: number, parameters: FlatLayout, { tables }: GradientLayout): Call[] {
  return [recordLossCall(loss), ...parameters.segments.map((_, i) => updateCall(tables[i].length / 4))];
}

/** Creates the buffers of a step and its bind groups. @throws {PlanError} when a result is too large for the device */
export function compile(graph: Graph, plan: DispatchPlan, shared: SharedBuffers): CompiledStep {
  const { launcher, parameters, slots, maxBytes, losses, failed } = shared, { device } = launcher.backend;
  const layout = gradientLayout(parameters.trainable, plan.splits, maxBytes);
  const gradients = layout.segments.map((size) =>
    device.createBuffer({ label: "gradients", size: 4 * size, usage: GPUBufferUsage.STORAGE })
  );
  const tables = layout.tables.map((table) => newBuffer(device, "table", table));
  const bound = new BoundPlan(graph, plan, {
    device,
    slots,
    maxBytes,
    parameter: (name) => parameters.binding(name),
    gradient(name) {
      const { segment, offset, size } = layout.places.get(name)!;
      return { buffer: gradients[segment], offset: 4 * offset, size: 4 * size };
    },
  });
  const { feeds } = bound, arrays = [parameters.values, parameters.expAvg, parameters.expAvgSq];
  const [record, ...updates] = updateDispatches(plan.output.size, parameters.trainable, layout);
  const commands = new Commands(launcher, [
    ...bound.calls,
    { call: record, bindings: [{ buffer: losses }, { buffer: failed }, bound.output, feeds.header] },
    ...updates.map((call, i) => {
      const buffers = [...arrays.map(({ buffers }) => buffers[i]), gradients[i], tables[i]];
      return {
        call,
        bindings: [...buffers.map((buffer) => ({ buffer })), feeds.header, { buffer: failed }],
      };
    }),
  ]);
  return {
    feeds,
    submit: () => commands.submit(),
    destroy() {
      for (const buffer of [...gradients, ...tables]) buffer.destroy();
      commands.destroy();
      bound.destroy();
    },
  };
}
