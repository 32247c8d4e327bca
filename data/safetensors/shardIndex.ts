/**
 * The files of sharded weights, and `model.safetensors.index.json`, which maps each tensor to its file.
 *
 * @module
 */
import { parseStrictJson, StrictJsonError } from "../strictJson.ts";
import { quote, SafetensorsError } from "./error.ts";

/** Limits of an index: the models that we support have at most 2,000 tensors. */
const INDEX_LIMITS = { depth: 4, values: 100_000 };

/**
 * Checks by names such as `model-00001-of-00002.safetensors` that no shard is missing. For weights without an index: the
 * shards that are there could be a smaller model.
 *
 * @throws {SafetensorsError}
 */
export function checkShardNames(names: readonly string[]): void {
  for (const name of names) {
    const [, end, total] = /-\d{5}(-of-(\d{5})\.safetensors)$/i.exec(name) ?? [];
    const sent = names.filter((other) => other.endsWith(end)).length;
    if (total === undefined || sent >= Number(total)) continue;
    throw new SafetensorsError(
      `The file '${name}' is one of ${Number(total)} shards: send all of them, or the address of their index`,
    );
  }
}

/**
 * Returns the file of each tensor. `metadata.total_size` is not checked, because libraries count different bytes.
 *
 * @throws {SafetensorsError} for a text that is not an index, and for a file outside the folder of the index
 */
export async function readIndex(text: string): Promise<Map<string, string>> {
  const map = new Map<string, string>();
  for (const [tensor, name] of Object.entries(await weightMap(text))) {
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
async function weightMap(text: string): Promise<Record<string, unknown>> {
  let json: unknown;
  try {
    json = await parseStrictJson(text, INDEX_LIMITS);
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
