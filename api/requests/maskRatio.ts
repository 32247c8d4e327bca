/**
 * The share of patches masked, where a request overrides the model's own.
 *
 * @module
 */
import { maskRatioIssue } from "../../model/checkConfig.ts";
import type { MaeConfig } from "../../model/config.ts";
import { fieldProblem } from "../http/problem.ts";

/** @throws {ProblemError} 422 for a ratio that would keep or mask no patch of this model */
export function checkRatio(config: MaeConfig, ratio: number): void {
  const message = maskRatioIssue(config, ratio);
  if (message !== null) throw fieldProblem(422, "mask_ratio", message);
}
