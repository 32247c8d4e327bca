/**
 * Reads the `config.json` of timm.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";
import type { MaeConfig } from "../config.ts";
import { mlpRatioOf } from "./mlpRatio.ts";
import type { ModelJson } from "./modelJson.ts";
import { JsonFields, namesByNumber, shortJson } from "./jsonFields.ts";

/** The names of timm's plain Vision Transformers begin with one of these. */
const ARCHITECTURES = /^(vit_|deit_|flexivit_|eva_large_|test_vit$)/;

/** Vision Transformers that compute something else although their tensors may have the same names. */
const OTHER_FORWARD = /quickgelu|_clip_|_siglip|_dinov[23]|_parallel_|_xp_|_rpn_|_rope/;

/** Heads by width, of timm's Vision Transformers with these names (`timm/models/vision_transformer.py`). */
const HEADS: Readonly<Record<number, number>> = {
  64: 2,
  192: 3,
  256: 4,
  320: 5,
  384: 6,
  512: 8,
  640: 10,
  768: 12,
  832: 13,
  896: 14,
  1024: 16,
  1152: 16,
  1280: 16,
  1408: 16,
  1664: 16,
};

/** The architecture with other heads than the others of its width. */
const OTHER_HEADS: Readonly<Record<string, number>> = { vit_base_patch16_gap_224: 16 };

/** Arguments of timm's `VisionTransformer` that ours does not have, with the values that change nothing. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  act_layer: [null, "gelu"],
  norm_layer: [null, "layernorm", "layer_norm"],
  pos_embed: ["learn"],
  reg_tokens: [0, null],
  pre_norm: [false],
  init_values: [null],
  qk_norm: [false],
  scale_attn_norm: [false],
  scale_mlp_norm: [false],
  proj_bias: [true],
  final_norm: [true],
  pool_include_prefix: [false],
  embed_norm_layer: [null],
  attn_layer: ["attn"],
};

/** timm's names of poolings, and ours. Models without a head may have an empty name. */
const POOLS: Readonly<Record<string, MaeConfig["pool"] | null>> = { token: "cls", avg: "mean", "": null };

/** Returns the colour `#rrggbb` with which timm pads images of a mean (`timm/data/transforms_factory.py`). */
export function timmPadding(mean: readonly number[]): string {
  const [red, green = red, blue = red] = mean.map((value) =>
    Math.round(255 * value).toString(16).padStart(2, "0")
  );
  return `#${red}${green}${blue}`;
}

/** Returns whether a `config.json` is timm's. */
export function isTimmConfig(json: Readonly<Record<string, unknown>>): boolean {
  return "architecture" in json || "pretrained_cfg" in json;
}

/**
 * Converts timm's `config.json` to our fields.
 *
 * @param width of the encoder, which with the architecture gives the heads
 * @throws {WeightsError} for a model that ours cannot express
 */
export function parseTimmConfig(json: Readonly<Record<string, unknown>>, width: number): ModelJson {
  const top = new JsonFields(json);
  const name = top.text("architecture", "");
  if (name !== "" && (!ARCHITECTURES.test(name) || OTHER_FORWARD.test(name))) {
    throw top.error("architecture", "a plain Vision Transformer of timm, such as vit_base_patch16_224");
  }
  const args = new JsonFields(top.object("model_args") ?? {}, "config.json: model_args");
  // Files of 2021 and 2022 have its fields at the top.
  const nested = top.object("pretrained_cfg");
  const pretrained = nested ? new JsonFields(nested, "config.json: pretrained_cfg") : top;
  checkArguments(args);
  return {
    fields: {
      ...headsField(name, width),
      ...argumentFields(args),
      ...poolField(top, args),
      ...normalizeField(pretrained),
      ...optional("layerNormEps", top, "layer_norm_eps", (reader, name) => reader.number(name, 0)),
    },
    classNames: labelNames(json, pretrained),
    ...optional("classes", args, "num_classes", (reader, name) => reader.number(name, 0)),
    ...optional("classes", top, "num_classes", (reader, name) => reader.number(name, 0)),
  };
}

/** Returns the heads of a named architecture. */
function headsField(architecture: string, width: number): Partial<MaeConfig> {
  const heads = Object.hasOwn(OTHER_HEADS, architecture) ? OTHER_HEADS[architecture] : HEADS[width];
  return architecture === "" || heads === undefined ? {} : { numHeads: heads };
}

/** @throws {WeightsError} */
function checkArguments(args: JsonFields): void {
  for (const [name, allowed] of Object.entries(ARGUMENTS)) {
    const value = args.raw(name);
    if (value === undefined || allowed.includes(value)) continue;
    throw args.error(name, `${allowed.map(shortJson).join(" or ")}, as in a plain Vision Transformer`);
  }
}

/** Returns the sizes in the model's arguments. The tensors must agree with them. */
function argumentFields(args: JsonFields): Partial<MaeConfig> {
  const count = (reader: JsonFields, name: string) => reader.count(name, 1);
  const side = (reader: JsonFields, name: string) => reader.side(name, 1);
  const embedDim = args.raw("embed_dim"), ratio = args.raw("mlp_ratio");
  return {
    ...optional("numHeads", args, "num_heads", count),
    ...optional("embedDim", args, "embed_dim", count),
    ...optional("depth", args, "depth", count),
    ...optional("inChannels", args, "in_chans", count),
    ...optional("patchSize", args, "patch_size", side),
    ...optional("imageSize", args, "img_size", side),
    ...optional("clsToken", args, "class_token", (reader, name) => reader.boolean(name, true)),
    ...(typeof ratio === "number" && typeof embedDim === "number"
      ? { mlpRatio: mlpRatioOf(embedDim, Math.trunc(embedDim * ratio)) }
      : {}),
  };
}

/** Returns our name of the pooling. @throws {WeightsError} for one that ours does not have */
function poolField(top: JsonFields, args: JsonFields): Partial<MaeConfig> {
  for (const reader of [args, top]) {
    const value = reader.raw("global_pool");
    if (value === undefined || value === null) continue;
    if (typeof value !== "string" || !Object.hasOwn(POOLS, value)) {
      throw reader.error("global_pool", "token or avg");
    }
    const pool = POOLS[value];
    return pool === null ? {} : { pool };
  }
  return {};
}

/** Returns the normalisation of pixels. @throws {WeightsError} */
function normalizeField(pretrained: JsonFields): Partial<MaeConfig> {
  const mean = pretrained.numbers("mean"), std = pretrained.numbers("std");
  if (mean === null || std === null) return {};
  const isIdentity = mean.every((value) => value === 0) && std.every((value) => value === 1);
  return { normalize: isIdentity ? null : { mean, std } };
}

/** Returns the names of the classes, a list or an object, or null. @throws {WeightsError} */
function labelNames(
  json: Readonly<Record<string, unknown>>,
  pretrained: JsonFields,
): readonly string[] | null {
  const value = json.label_names ?? pretrained.raw("label_names") ?? json.labels;
  if (value === undefined || value === null) return null;
  const names = Array.isArray(value) ? value : namesByNumber(value);
  if (names?.every((name) => typeof name === "string")) return names;
  throw new WeightsError(
    "config.json: label_names must be a list of names, or an object of names with the keys 0, 1, 2 and so on: " +
      `current value is ${shortJson(value)}`,
  );
}

/** Returns a field of ours if theirs is there. */
function optional<Name extends string, Value>(
  field: Name,
  reader: JsonFields,
  name: string,
  read: (reader: JsonFields, name: string) => Value,
): { [Key in Name]?: Value } {
  const value = reader.raw(name);
  if (value === undefined || value === null) return {};
  return { [field]: read(reader, name) } as { [Key in Name]?: Value };
}
