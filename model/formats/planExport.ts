/**
 * Plans the export of a model to a format.
 *
 * @module
 */
import { exportHuggingFace } from "./exportHuggingFace.ts";
import { exportMeta } from "./exportMeta.ts";
import { exportTimm } from "./exportTimm.ts";
import { exportUnmask } from "./exportUnmask.ts";
import type { ExportPlan, ExportRequest, WeightsFormat } from "./format.ts";

const EXPORTS: Readonly<Record<WeightsFormat, (request: ExportRequest) => ExportPlan>> = {
  unmask: exportUnmask,
  huggingface: exportHuggingFace,
  meta: exportMeta,
  timm: exportTimm,
};

/**
 * Plans the export of a model: the tensors of the file, what they are made of, and the other files.
 *
 * @throws {FormatError} when the model cannot be expressed in the format
 *
 * @example
 * ```ts
 * import { completeConfig } from "../config.ts";
 * import { planExport } from "./planExport.ts";
 *
 * const { tensors } = planExport({
 *   config: completeConfig({ clsToken: true, positions: "sincos_2d" }),
 *   architecture: { model: "mae" },
 *   classNames: null,
 *   format: "huggingface",
 * });
 * console.log(tensors[0].name, tensors[0].shape); // vit.embeddings.position_embeddings [1, 50, 64]
 * ```
 */
export function planExport(request: ExportRequest): ExportPlan {
  return EXPORTS[request.format](request);
}
