/**
 * `model.safetensors.index.json`, which maps each tensor of sharded weights to its file.
 *
 * @module
 */
import { parseStrictJson, StrictJsonError } from "../strictJson.ts";
import { quote, SafetensorsError } from "./error.ts";

/** Limits of an index: the models that we support have at most 2,000 tensors. */
const INDEX_LIMITS = { depth: 4, values: 100_000 };

/**
 * Returns the file of each tensor. `metadata.total_size` is not checked, because libraries count different bytes.
 *
 * @throws {SafetensorsError} for a text that is not an index, and for a file outside the folder of the index
 */
export function readIndex(text: string): Map<string, string> {
  const map = new Map<string, string>();
  for (const [tensor, name] of Object.entries(weightMap(text))) {
    if (typeof name !== "string" || !/^[^/\\\0]+$/.test(name) || name === "." || name === "..") {
      throw new SafetensorsError(
        `The index must map ${quote(tensor)} to the name of a file in its own folder: current value is ${
          quote(name)
        }`,
      );
    }
    map.set(tensor, name);
  }
  return map;
}

/** Returns the field `weight_map` of an index. @throws {SafetensorsError} */
function weightMap(text: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = parseStrictJson(text, INDEX_LIMITS);
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    const where = error.path === "" ? "" : `: ${error.path}`;
    throw new SafetensorsError(`The index${where} ${error.message}`, { cause: error });
  }
  const map = isObject(json) ? json.weight_map : undefined;
  if (!isObject(map) || Object.keys(map).length === 0) {
    throw new SafetensorsError("The index must be a JSON object with the object weight_map");
  }
  return map;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
