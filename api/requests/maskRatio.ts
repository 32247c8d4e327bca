/**
 * Validates the `mask_ratio` of a request against the model of its checkpoint.
 *
 * @module
 */
import { maskRatioIssue } from "../../model/checkConfig.ts";
import type { MaeConfig } from "../../model/config.ts";
import { fieldProblem } from "../http/problem.ts";

/** @throws {ProblemError} 422 for a ratio that would keep or mask no patch of this model */
export function checkMaskRatio(config: MaeConfig, ratio: number): void {
  const message = maskRatioIssue(config, ratio);
  if (message !== null) throw fieldProblem(422, "mask_ratio", message);
}
