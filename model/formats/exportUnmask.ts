/**
 * Exports under our own names.
 *
 * @module
 */
import { parameterSpecs } from "../weights.ts";
import { exportedTensors } from "./conversions.ts";
import type { ExportPlan, ExportRequest } from "./format.ts";
import { ownCorrespondence, tableShapes } from "./naming.ts";
import { modelJson } from "./wireConfig.ts";

/** Returns the plan for a file of ours, whose `config.json` repeats the metadata of the weights. */
export function exportUnmask({ config, architecture, classNames }: ExportRequest): ExportPlan {
  const tensors = [...tableShapes(config, architecture), ...parameterSpecs(config, architecture)];
  return {
    tensors: tensors.map(ownCorrespondence).flatMap(exportedTensors),
    configJson: modelJson(config, architecture, classNames),
    preprocessorJson: null,
  };
}
