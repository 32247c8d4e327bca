/**
 * Checks named tensors as those of a file.
 *
 * @module
 */
import { WeightsChecker } from "../../model/checkWeights.ts";
import type { MaeConfig } from "../../model/config.ts";
import type { Architecture, HostTensor, HostWeights } from "../../model/weights.ts";

/** Returns the parameters in a file. @throws {WeightsError} when the tensors are not those of the model */
export function checkedWeights(
  weights: HostWeights,
  config: MaeConfig,
  architecture: Architecture,
): Map<string, HostTensor> {
  const checker = new WeightsChecker(config, architecture);
  checker.checkNames(weights.keys());
  return new Map([...weights].filter(([name, tensor]) => checker.isRequired(name, tensor)));
}
