/**
 * Opens predictors: planned by the backend, or operation by operation through TensorFlow.js.
 *
 * @module
 */
import { PlanError } from "../planError.ts";
import { EagerPredictor } from "./eagerPredictor.ts";
import type { PredictionPlanner, Predictor, PredictorOptions } from "./predictor.ts";

/**
 * Returns a planned predictor where `planner` supports the model, else one that runs TensorFlow.js operations on the
 * selected backend.
 *
 * @example
 * ```ts
 * import { selectBackend } from "../backends/select.ts";
 * import { PRESETS } from "../presets.ts";
 * import { initialWeights, parameterSpecs } from "../weights.ts";
 * import { openPredictor } from "./openPredictor.ts";
 *
 * const { planner } = await selectBackend("simd");
 * const config = PRESETS.mnist, weights = initialWeights(parameterSpecs(config, { model: "mae" }), 0);
 * const predictor = await openPredictor({ config, weights, threads: 2 }, planner);
 * const features = await predictor.features(new Float32Array(3 * 28 * 28)); // three images
 * console.log(features.length); // 3 x 64 = 192
 * await predictor.dispose();
 * ```
 */
export async function openPredictor(
  options: PredictorOptions,
  planner?: PredictionPlanner,
): Promise<Predictor> {
  if (!planner) return new EagerPredictor(options, null);
  try {
    return await planner.openPredictor(options);
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return new EagerPredictor(options, error.message);
  }
}
