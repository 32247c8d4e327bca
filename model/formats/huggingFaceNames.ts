/**
 * The tensor names of ViTMAE and ViT in transformers.
 *
 * The names on disk are those of the published checkpoints, which transformers 4 and 5 read. Transformers 5 has other
 * names in memory (`modeling_vit_mae.py`), and its renaming of saved files (`conversion_mapping.py`) turns
 * `decoder.decoder_layers` into `decoder.decoder_encoder.layer`.
 *
 * @module
 */
import type { BlockNaming, Naming } from "./naming.ts";

/** The model types of transformers that are a plain Vision Transformer. */
export const MODEL_TYPES: readonly string[] = ["vit_mae", "vit"];

const block = (prefix: string): BlockNaming => ({
  norm1: `${prefix}.layernorm_before`,
  qkv: ["query", "key", "value"].map((part) => `${prefix}.attention.attention.${part}`),
  proj: `${prefix}.attention.output.dense`,
  norm2: `${prefix}.layernorm_after`,
  fc1: `${prefix}.intermediate.dense`,
  fc2: `${prefix}.output.dense`,
});

/**
 * Returns the names of published checkpoints.
 *
 * @param vit whether the encoder's names begin with `vit.`: those of all models but `ViTMAEModel` and `ViTModel`
 */
export function huggingFaceNaming(vit: boolean): Naming {
  const prefix = vit ? "vit." : "";
  return {
    clsToken: `${prefix}embeddings.cls_token`,
    positions: `${prefix}embeddings.position_embeddings`,
    patchEmbed: `${prefix}embeddings.patch_embeddings.projection`,
    norm: `${prefix}layernorm`,
    fcNorm: "fc_norm", // No model of transformers has it.
    head: "classifier",
    maskToken: "decoder.mask_token",
    decoderPositions: "decoder.decoder_pos_embed",
    decoderEmbed: "decoder.decoder_embed",
    decoderNorm: "decoder.decoder_norm",
    decoderPred: "decoder.decoder_pred",
    block: (index) => block(`${prefix}encoder.layer.${index}`),
    decoderBlock: (index) => block(`decoder.decoder_layers.${index}`),
  };
}

/** Names of modules in the memory of transformers 5, and those on disk. */
const IN_MEMORY: readonly (readonly [name: RegExp, onDisk: string])[] = [
  [/\.attention\.q_proj\./, ".attention.attention.query."],
  [/\.attention\.k_proj\./, ".attention.attention.key."],
  [/\.attention\.v_proj\./, ".attention.attention.value."],
  [/\.attention\.o_proj\./, ".attention.output.dense."],
  [/\.mlp\.fc1\./, ".intermediate.dense."],
  [/\.mlp\.fc2\./, ".output.dense."],
];

/** Returns the name of a published checkpoint, with `vit.`, for any name that transformers has for a tensor. */
export function publishedName(name: string): string {
  let published = name.replace(/^(embeddings|encoder|layers|layernorm|pooler)\./, "vit.$1.");
  published = published.replace(/^vit\.layers\./, "vit.encoder.layer.");
  published = published.replace(/^decoder\.decoder_encoder\.layer\./, "decoder.decoder_layers.");
  for (const [inMemory, onDisk] of IN_MEMORY) published = published.replace(inMemory, onDisk);
  return published;
}

/** Whether a tensor is the patch embedding of a model of transformers. */
export const HUGGING_FACE_MARKER = /^(vit\.)?embeddings\.patch_embeddings\.projection\.weight$/;
