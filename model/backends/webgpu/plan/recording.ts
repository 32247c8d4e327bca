/**
 * Recording with the operations that the recorder supports.
 *
 * @module
 */
import { native, useNative } from "../../../ops/native.ts";
import { SIMD_OPS } from "../../simd/ops.ts";
import type { Graph } from "../../simd/plan/graph.ts";
import { recordStep, type TrainingSpec } from "../../simd/plan/trainingSpec.ts";

/** Runs code that records the model. */
export async function recording<T>(run: () => Promise<T>): Promise<T> {
  const ops = native();
  useNative(SIMD_OPS);
  try {
    return await run();
  } finally {
    useNative(ops);
  }
}

/** Records a step over `images` images. */
export const recordForDevice = (spec: TrainingSpec, images: number): Promise<Graph> =>
  recording(() => recordStep(spec, images));
