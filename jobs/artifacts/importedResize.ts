/**
 * How the image processor of an imported model makes images square.
 *
 * @module
 */
import type { ResizeMode } from "../../data/images/preprocessing.ts";

/**
 * Returns the resizing of a `preprocessor_config.json` of Hugging Face: `crop` if it cuts the middle square, `squash` if
 * it resizes both sides; undefined when the file does not say it.
 */
export function importedResize(json: Readonly<Record<string, unknown>> | null): ResizeMode | undefined {
  if (json === null) return undefined;
  const { size, do_center_crop: crops, do_resize: resizes } = json;
  if (crops === true) return "crop";
  if (resizes === false) return undefined;
  if (typeof size === "number") return "squash";
  if (typeof size !== "object" || size === null) return undefined;
  if ("shortest_edge" in size) return "crop";
  return "height" in size && "width" in size ? "squash" : undefined;
}
