/**
 * The share of patches masked, where a request overrides the model's own.
 *
 * @module
 */
import { type MaeConfig, numKeep, numPatches } from "../../model/config.ts";
import { fieldProblem } from "../http/problem.ts";

/** @throws {ProblemError} 422 for a ratio that would keep or mask no patch of this model */
export function checkRatio(config: MaeConfig, ratio: number): void {
  const patches = numPatches(config);
  const keep = numKeep(patches, ratio);
  if (keep >= 1 && keep < patches) return;
  throw fieldProblem(
    422,
    "mask_ratio",
    `${keep < 1 ? "keeps" : "masks"} no patch of ${patches}: current value is ${ratio}`,
  );
}
