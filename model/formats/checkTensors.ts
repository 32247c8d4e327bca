/**
 * The check of stored tensors against those that a model needs.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { Correspondence } from "./naming.ts";
import { nameList, type TensorSet } from "./tensorSet.ts";

/** The types that can be converted to float32. */
const FLOATS: readonly string[] = ["F32", "F16", "BF16", "F64"];

/** Modules of other models, and what they are. A file that contains one is refused by that name. */
const UNSUPPORTED: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/(^|\.)(reg_token|register_tokens|reg_tokens)$/, "register tokens"],
  [/\.ls[12]\.gamma$|layer_scale[12]?\.|\.gamma_[12]$/, "layer scale"],
  [/(^|\.)norm_pre\./, "a layer norm before the blocks (norm_pre)"],
  [/\.mlp\.(fc1_g|fc1_x|w12|w1|w2|w3|gate_proj|up_proj|weights_in)\./, "gated MLPs (SwiGLU)"],
  [/\.attn\.(q_norm|k_norm)\.|\.attention\.(q_norm|k_norm)\./, "norms of queries and keys"],
  [/(^|\.)attn_pool\./, "attention pooling"],
  [/(^|\.)(dist_token|head_dist\.|distillation_token)/, "a distillation token"],
  [/relative_position|rel_pos|(^|\.)rope|rotary/, "relative or rotary positions"],
  [/^patch_embed\.(backbone|conv)/, "a convolutional stem"],
];

/**
 * Checks names, shapes and types of the tensors that a model needs.
 *
 * @param what the model in words, such as "a ViTMAEModel of transformers with 12 layers"
 * @throws {WeightsError} that lists missing, surplus and wrongly shaped tensors
 */
export function checkTensors(
  set: TensorSet,
  needed: readonly Correspondence[],
  isIgnored: (name: string) => boolean,
  what: string,
): void {
  const expected = new Map(needed.flatMap(({ stored }) => stored.map(({ name, shape }) => [name, shape])));
  const surplus = [...set].filter(([name]) => !expected.has(name) && !isIgnored(name));
  const missing: string[] = [], wrongShapes: string[] = [], wrongTypes: string[] = [];
  for (const [name, shape] of expected) {
    const tensor = set.get(name);
    if (!tensor) missing.push(name);
    else if (String(tensor.shape) !== String(shape)) {
      wrongShapes.push(`'${tensor.source}' has [${tensor.shape}] and must have [${shape}]`);
    } else if (!FLOATS.includes(tensor.dtype)) wrongTypes.push(`'${tensor.source}' has ${tensor.dtype}`);
  }
  const faults: string[] = [];
  if (missing.length > 0) faults.push(`${count(missing.length, "is", "are")} missing: ${nameList(missing)}`);
  if (surplus.length > 0) {
    const names = surplus.map(([, { source }]) => source);
    faults.push(`${count(names.length, "does", "do")} not belong to the model: ${nameList(names)}`);
  }
  if (wrongShapes.length > 0) {
    faults.push(`${count(wrongShapes.length, "has", "have")} a wrong shape: ${firstOf(wrongShapes)}`);
  }
  if (wrongTypes.length > 0) {
    faults.push(
      `${count(wrongTypes.length, "has", "have")} another type than ${FLOATS.join(", ")}: ${
        firstOf(wrongTypes)
      }`,
    );
  }
  if (faults.length > 0) throw new WeightsError(`The tensors are not those of ${what}. ${faults.join("; ")}`);
}

/** Checks that a model has only modules that ours has. @throws {WeightsError} that names another one */
export function checkModules(set: TensorSet): void {
  const names = [...set].map(([, { source }]) => source);
  for (const [pattern, what] of UNSUPPORTED) {
    const found = names.filter((name) => pattern.test(name));
    if (found.length === 0) continue;
    throw new WeightsError(
      `The model has ${what}, and only a plain Vision Transformer is supported: ${
        nameList(found)
      } (${found.length} in all)`,
    );
  }
}

function count(number: number, singular: string, plural: string): string {
  return `${number} ${number === 1 ? `tensor ${singular}` : `tensors ${plural}`}`;
}

function firstOf(faults: readonly string[]): string {
  return faults.slice(0, 3).join(", ") + (faults.length > 3 ? ", …" : "");
}
