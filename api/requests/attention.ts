/**
 * Validates that a model has the attention that a request needs.
 *
 * @module
 */
import type { MaeConfig } from "../../model/config.ts";
import { fieldProblem } from "../http/problem.ts";
import type { ReconstructionRequest } from "../schemas/reconstruction.ts";

/** @throws {ProblemError} 422 for the attention of a class token that the model does not have */
export function checkAttention({ clsToken }: MaeConfig, { columns, include }: ReconstructionRequest): void {
  if (clsToken) return;
  for (const [name, list] of Object.entries({ columns, include })) {
    const index = (list as readonly string[]).indexOf("attention");
    if (index === -1) continue;
    throw fieldProblem(
      422,
      `${name}.${index}`,
      "attention must be absent: it is that of the class token, and this model has none (cls_token is false)",
    );
  }
}
