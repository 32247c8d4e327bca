/**
 * The forward passes of a model.
 *
 * @module
 */
import { type Tensor, tensor2d } from "@tensorflow/tfjs-core";
import { classify, featuresOfPatches } from "../../../classifier.ts";
import { imageDim, type MaeConfig, numPatches, patchDim } from "../../../config.ts";
import { classifierFlops, forwardFlops } from "../../../flops.ts";
import { predictPatches } from "../../../mae.ts";
import type { Shape } from "../../../shape.ts";
import type { Weights } from "../../../transformer.ts";
import type { Graph } from "../plan/graph.ts";
import { recordForward } from "../plan/record.ts";

/** A forward pass. */
export type Pass = { readonly output: "features" | "logits" | "logits of features" } | {
  readonly output: "patches";
  /** Number of visible patches of an image. */
  readonly keep: number;
};

/** Returns a text that is different for different passes. */
export function keyOf(pass: Pass): string {
  return pass.output === "patches" ? `patches of ${pass.keep}` : pass.output;
}

/** Returns the floating-point operations of a pass over one image. */
export function flopsOf(config: MaeConfig, pass: Pass): number {
  // The head is small.
  if (pass.output === "logits of features") return 0;
  if (pass.output !== "patches") return classifierFlops(config);
  return forwardFlops({ ...config, maskRatio: 1 - pass.keep / numPatches(config) });
}

/**
 * Records a pass.
 *
 * @param parameters shapes of the model's parameters
 * @throws {PlanError} when an operation has no kernel
 */
export function recordPass(
  config: MaeConfig,
  parameters: ReadonlyMap<string, Shape>,
  pass: Pass,
  images: number,
): Graph {
  if (pass.output === "patches") return recordPatches(config, parameters, images, pass.keep);
  if (pass.output === "logits of features") {
    const { embedDim } = config, features = new Float32Array(images * embedDim);
    return recordForward(
      parameters,
      { features },
      (weights) => [classify(weights, tensor2d(features, [images, embedDim]))],
    );
  }
  const patches = new Float32Array(images * imageDim(config));
  const compute = (weights: Weights): Tensor[] => {
    const features = featuresOfPatches(weights, config, patches);
    return [pass.output === "features" ? features : classify(weights, features)];
  };
  return recordForward(parameters, { patches }, compute);
}

function recordPatches(
  config: MaeConfig,
  parameters: ReadonlyMap<string, Shape>,
  batch: number,
  keep: number,
): Graph {
  const patches = numPatches(config), rows = batch * keep;
  const visible = new Float32Array(rows * patchDim(config));
  const positions = new Float32Array(rows * config.embedDim);
  const restoreRows = new Int32Array(batch * patches);
  const none = new Int32Array(0), mask = new Float32Array(0);
  const masking = {
    batch,
    patches,
    keep,
    restoreRows,
    mask,
    idsKeep: none,
    idsRestore: none,
    keepRows: none,
  };
  return recordForward(
    parameters,
    { visible, positions, restoreRows },
    (weights) => [predictPatches(weights, config, { visible, positions, masking }).pred],
  );
}
