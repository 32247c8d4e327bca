/**
 * The cost of a planned step by program, computed from shapes without a device.
 *
 * @module
 */
import type { Shape } from "../../../shape.ts";
import { HEADER_SIZE } from "../kernels/update.ts";
import { updateDispatches } from "./compile.ts";
import type { DispatchPlan } from "./dispatches.ts";
import { layOutFeeds } from "./feedBuffer.ts";
import { gradientLayout, parameterLayout } from "./parameterLayout.ts";

/** The dispatches of a program in a step. */
export interface ProgramCost {
  readonly program: string;
  readonly dispatches: number;
  /** Bytes of the buffers that the dispatches read: each operand counts once for each dispatch. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Operations of matrix products, two for each multiply-add. */
  readonly flops: number;
}

/** The cost of a step. */
export interface StepCost {
  readonly programs: readonly ProgramCost[];
  /** Bytes that the host copies to the device in each step, by one call. */
  readonly bytesUploaded: number;
}

/** Size of a buffer that is larger than any model's: a device with this limit has one segment. */
const NO_LIMIT = 2 ** 40;

const bytesOf = (sources: Iterable<{ readonly size: number }>) =>
  [...new Set(sources)].reduce((sum, { size }) => sum + 4 * size, 0);

/** Returns the cost of a step. @param trainable shapes of the trainable parameters */
export function stepCost(plan: DispatchPlan, trainable: Iterable<readonly [string, Shape]>): StepCost {
  const costs = new Map<string, ProgramCost>();
  const add = (program: string, bytesRead: number, bytesWritten: number, flops = 0) => {
    const sum = costs.get(program) ?? { program, dispatches: 0, bytesRead: 0, bytesWritten: 0, flops: 0 };
    costs.set(program, {
      program,
      dispatches: sum.dispatches + 1,
      bytesRead: sum.bytesRead + bytesRead,
      bytesWritten: sum.bytesWritten + bytesWritten,
      flops: sum.flops + flops,
    });
  };
  for (const { program, reads, writes, flops } of plan.dispatches) {
    add(program.name, bytesOf(reads), bytesOf(writes), flops);
  }
  const parameters = parameterLayout(trainable, NO_LIMIT);
  const gradients = gradientLayout(parameters, plan.splits, NO_LIMIT), header = 4 * HEADER_SIZE;
  const [record, ...updates] = updateDispatches(plan.output.size, parameters, gradients);
  add(record.program.name, 4 * plan.output.size + header, 12);
  updates.forEach(({ program }, i) => {
    const arrays = 3 * 4 * parameters.segments[i];
    const table = gradients.tables[i].byteLength;
    add(program.name, arrays + 4 * gradients.segments[i] + table + header + 4, arrays);
  });
  return { programs: [...costs.values()], bytesUploaded: layOutFeeds(plan.feeds).bytes };
}
