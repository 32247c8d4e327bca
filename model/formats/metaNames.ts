/**
 * The tensor names of facebookresearch/mae (`models_mae.py`, `models_vit.py`), whose encoder and head have those of timm.
 *
 * @module
 */
import type { BlockNaming, Naming } from "./naming.ts";

const block = (prefix: string): BlockNaming => ({
  norm1: `${prefix}.norm1`,
  qkv: [`${prefix}.attn.qkv`],
  proj: `${prefix}.attn.proj`,
  norm2: `${prefix}.norm2`,
  fc1: `${prefix}.mlp.fc1`,
  fc2: `${prefix}.mlp.fc2`,
});

/** The names of Meta and, without the decoder, of timm. */
export const META_NAMING: Naming = {
  clsToken: "cls_token",
  positions: "pos_embed",
  patchEmbed: "patch_embed.proj",
  norm: "norm",
  fcNorm: "fc_norm",
  head: "head",
  maskToken: "mask_token",
  decoderPositions: "decoder_pos_embed",
  decoderEmbed: "decoder_embed",
  decoderNorm: "decoder_norm",
  decoderPred: "decoder_pred",
  block: (index) => block(`blocks.${index}`),
  decoderBlock: (index) => block(`decoder_blocks.${index}`),
};

/** Whether a tensor is the patch embedding of a model of Meta or timm. */
export const META_MARKER = /^patch_embed\.proj\.weight$/;
