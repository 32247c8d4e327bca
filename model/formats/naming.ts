/**
 * How formats name the tensors of a Vision Transformer, and how those tensors are laid out.
 *
 * @module
 */
import { type MaeConfig, numTokens } from "../config.ts";
import { type Architecture, parameterSpecs } from "../weights.ts";

/** The names of a transformer block's modules. A module has the tensors `.weight` and `.bias`. */
export interface BlockNaming {
  readonly norm1: string;
  /** One module for the fused projection, or three for query, key and value. */
  readonly qkv: readonly string[];
  readonly proj: string;
  readonly norm2: string;
  readonly fc1: string;
  readonly fc2: string;
}

/** The names of a format. Tokens and position tables are tensors; the others are modules. */
export interface Naming {
  readonly clsToken: string;
  readonly positions: string;
  readonly patchEmbed: string;
  readonly norm: string;
  readonly fcNorm: string;
  readonly head: string;
  readonly maskToken: string;
  readonly decoderPositions: string;
  readonly decoderEmbed: string;
  readonly decoderNorm: string;
  readonly decoderPred: string;
  /** Returns the names of an encoder block. */
  block(index: number): BlockNaming;
  /** Returns the names of a decoder block. */
  decoderBlock(index: number): BlockNaming;
}

/** Our names of the position tables. */
export const POSITION_TABLES = {
  encoder: "encoder.pos_embed.pe",
  decoder: "decoder.decoder_pos_embed.pe",
} as const;

/**
 * How a format stores a tensor. `same`: the same values. `rows`: the rows of ours are those of several tensors in turn.
 * `patches`: ours is a linear layer over patches in the order (p1 p2 c), the stored one a convolution
 * `[embedDim, channels, P, P]`. `zeros`: not stored, ours is zero. `patch rows`: the stored table has no row of the
 * class token, and ours has a first row of zeros.
 */
export type TensorLayout = "same" | "rows" | "patches" | "zeros" | "patch rows";

/** A tensor of our model, and where a format stores it. */
export interface Correspondence {
  readonly name: string;
  readonly shape: readonly number[];
  readonly stored: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly layout: TensorLayout;
}

/** Returns where a format stores the parameters of a model and, with `tables`, its position tables. */
export function correspondences(
  config: MaeConfig,
  architecture: Architecture,
  naming: Naming,
  tables = true,
): Correspondence[] {
  const { inChannels, patchSize } = config;
  const ours = [
    ...(tables ? tableShapes(config, architecture) : []),
    ...parameterSpecs(config, architecture),
  ];
  return ours.map(({ name, shape }): Correspondence => {
    if (name === "encoder.patch_embed.projection.1.weight") {
      const kernel = [shape[0], inChannels, patchSize, patchSize];
      return {
        name,
        shape,
        stored: [{ name: `${naming.patchEmbed}.weight`, shape: kernel }],
        layout: "patches",
      };
    }
    const names = storedNames(name, naming);
    const rows = [shape[0] / names.length, ...shape.slice(1)];
    const stored = names.map((name) => ({ name, shape: rows }));
    return { name, shape, stored, layout: names.length > 1 ? "rows" : "same" };
  });
}

/** Returns the correspondence of a tensor that is stored under our name. */
export function ownCorrespondence({ name, shape }: Pick<Correspondence, "name" | "shape">): Correspondence {
  return { name, shape, stored: [{ name, shape }], layout: "same" };
}

/** Returns the names and shapes of a model's position tables. */
export function tableShapes(
  config: MaeConfig,
  architecture: Architecture,
): { name: string; shape: readonly number[] }[] {
  const tokens = numTokens(config);
  const encoder = { name: POSITION_TABLES.encoder, shape: [1, tokens, config.embedDim] };
  if (architecture.model !== "mae") return [encoder];
  return [encoder, { name: POSITION_TABLES.decoder, shape: [1, tokens, config.decoderEmbedDim] }];
}

/** Returns the stored names of one of our tensors. */
function storedNames(name: string, naming: Naming): readonly string[] {
  const block = /^(encoder\.blocks|decoder\.decoder_blocks)\.(\d+)\.(.+)$/.exec(name);
  if (block) {
    const [, stack, index, tensor] = block;
    const names = stack === "encoder.blocks"
      ? naming.block(Number(index))
      : naming.decoderBlock(Number(index));
    return blockNames(tensor, names);
  }
  const token = {
    "encoder.cls_token": naming.clsToken,
    "decoder.mask_token": naming.maskToken,
    [POSITION_TABLES.encoder]: naming.positions,
    [POSITION_TABLES.decoder]: naming.decoderPositions,
  }[name];
  if (token !== undefined) return [token];
  const [, module, kind] = /^(.+)\.(weight|bias)$/.exec(name)!;
  const stored = {
    "encoder.patch_embed.projection.1": naming.patchEmbed,
    "encoder.norm": naming.norm,
    "fc_norm": naming.fcNorm,
    "head": naming.head,
    "decoder.decoder_embed": naming.decoderEmbed,
    "decoder.decoder_norm": naming.decoderNorm,
    "decoder.decoder_pred": naming.decoderPred,
  }[module];
  return [`${stored}.${kind}`];
}

function blockNames(tensor: string, block: BlockNaming): readonly string[] {
  const kind = tensor.endsWith("weight") ? "weight" : "bias";
  if (tensor.startsWith("attn.in_proj_")) return block.qkv.map((module) => `${module}.${kind}`);
  const modules = {
    "norm1": block.norm1,
    "attn.out_proj": block.proj,
    "norm2": block.norm2,
    "mlp.0": block.fc1,
    "mlp.3": block.fc2,
  } as const;
  return [`${modules[tensor.slice(0, -kind.length - 1) as keyof typeof modules]}.${kind}`];
}
