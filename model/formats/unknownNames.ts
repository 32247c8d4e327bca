/**
 * Describes tensor names that are not those of a supported format.
 *
 * @module
 */
import { MODEL_TYPES } from "./huggingFaceNames.ts";
import { foreignModel } from "./modelJson.ts";
import { nameList } from "./tensorSet.ts";

/** Names that only one library has, and the library. */
const LIBRARIES: readonly (readonly [name: RegExp, library: string])[] = [
  [/(^|\.)layers\.\d+\.(ln1|ffn\.layers\.0\.0)\./, "mmpretrain"],
  [/(^|\.)(to_patch_embedding\.|pos_embedding$)/, "vit-pytorch or torchvision"],
  [/(^|\.)encoder_layer_\d+\.|(^|\.)conv_proj\./, "torchvision"],
  [/(^|\.)visual\.(conv1|class_embedding|transformer\.resblocks)/, "open_clip"],
  [
    /(^|\.)(class_embedding|patch_embedding\.weight|position_embedding\.weight)$/,
    "CLIP or SigLIP in transformers",
  ],
];

/**
 * Returns why names are not supported, and what to do.
 *
 * @param markers a tensor of each supported format
 */
export function unknownNames(
  names: readonly string[],
  config: Readonly<Record<string, unknown>> | null,
  markers: readonly RegExp[],
): string {
  const model = config && foreignModel(config);
  const files = `The file has ${nameList(names)} (${names.length} in all)${
    model ? `, and config.json has ${model}` : ""
  }`;
  // The names of another model of transformers need no explanation.
  const type = config?.model_type;
  if (typeof type === "string" && !MODEL_TYPES.includes(type)) return files;
  const prefixes = prefixesOf(names, markers);
  if (prefixes.length > 0) {
    return `Only ${
      nameList(prefixes.map((prefix) => `${prefix}*`))
    } are the tensors of a Vision Transformer: remove all others. ${files}`;
  }
  const library = LIBRARIES.find(([pattern]) => names.some((name) => pattern.test(name)))?.[1];
  return library ? `These are tensor names of ${library}: rename them to those of timm. ${files}` : files;
}

/** Returns what precedes the names of markers. */
function prefixesOf(names: readonly string[], markers: readonly RegExp[]): string[] {
  const patterns = markers.map(({ source }) => new RegExp(`(?<=\\.)${source.replace("^", "")}`));
  const found = names.flatMap((name) =>
    patterns.flatMap((pattern) => {
      const match = pattern.exec(name);
      return match ? [name.slice(0, match.index)] : [];
    })
  );
  return [...new Set(found)];
}
