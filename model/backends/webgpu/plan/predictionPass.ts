/**
 * The sizes of the passes of predictions, and the trainings that test their programs.
 *
 * @module
 */
import { type MaeConfig, numPatches } from "../../../config.ts";
import type { Task } from "../../../training/objective.ts";
import type { Pass } from "../../simd/prediction/pass.ts";

/**
 * Returns the number of images of the pass that computes `images` images: at most a quarter more, so that few passes are
 * compiled. An image does not depend on those that fill up the batch.
 */
export function paddedSize(images: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(images)) - 2);
  return Math.ceil(images / step) * step;
}

const NO_DROPOUT = { dropout: 0, dropPath: 0 };

/** Returns a training whose programs include those of a pass. */
export function testTask(config: MaeConfig, pass: Pass): Task {
  if (pass.output !== "patches") {
    const architecture = { model: "classifier", classes: 2 } as const;
    const pool = pass.output === "features" ? pass.pool : config.pool;
    return { config: { ...config, pool, ...NO_DROPOUT }, architecture, seed: 0 };
  }
  const patches = numPatches(config), keep = Math.min(pass.keep, patches - 1);
  // Between two whole numbers of visible patches, so that rounding does not matter.
  const maskRatio = 1 - (keep + 0.5) / patches;
  return { config: { ...config, maskRatio, ...NO_DROPOUT }, architecture: { model: "mae" }, seed: 0 };
}
