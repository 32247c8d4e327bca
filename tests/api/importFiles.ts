/**
 * Files of weights to import: a tiny model in the formats of other libraries.
 *
 * @module
 */
import type { Bytes } from "../../data/bytes.ts";
import { type Tensor, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import { completeConfig, type MaeConfig } from "../../model/config.ts";
import { namedNormalization } from "../../model/normalizations.ts";
import type { WeightsFormat } from "../../model/formats/format.ts";
import { planExport } from "../../model/formats/planExport.ts";
import { type Architecture, type HostWeights, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { exported } from "../model/formats/files.ts";
import type { NamedFile } from "./fixtures.ts";

/** The configuration of the tiny model, which Hugging Face can express. */
export const TINY_VIT: MaeConfig = completeConfig({
  imageSize: 16,
  patchSize: 8,
  inChannels: 3,
  embedDim: 16,
  depth: 1,
  numHeads: 2,
  decoderEmbedDim: 8,
  decoderDepth: 1,
  decoderNumHeads: 2,
  clsToken: true,
  positions: "sincos_2d",
  layerNormEps: 1e-6,
  normalize: namedNormalization("imagenet", 3),
});

/** The tensors of a model by the names of a format, and its `config.json`. */
export interface WeightsParts {
  readonly tensors: Map<string, Tensor>;
  readonly config: Record<string, unknown> | null;
}

/** Returns the tiny model in a format. */
export function tinyWeights(
  format: WeightsFormat = "huggingface",
  architecture: Architecture = { model: "mae" },
  config: MaeConfig = TINY_VIT,
): WeightsParts {
  const weights: HostWeights = initialWeights(parameterSpecs(config, architecture), 1);
  const request = { config, architecture, classNames: null, format };
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, data }] of exported(request, weights)) {
    tensors.set(name, { dtype: "F32", shape, data });
  }
  return { tensors, config: planExport(request).configJson };
}

/** Returns a safetensors file to upload. */
export function weightsFile(
  tensors: ReadonlyMap<string, Tensor>,
  name = "model.safetensors",
  metadata: Record<string, string> = {},
): { readonly name: string; readonly content: Bytes } {
  return { name, content: writeSafetensors(tensors, metadata) };
}

/** Returns a JSON file to upload. */
export const jsonFile = (name: string, value: unknown): NamedFile => ({
  name,
  content: typeof value === "string" ? value : JSON.stringify(value),
});

/** Returns the tiny model of Hugging Face as the files of an upload. */
export function tinyUpload(parts: WeightsParts = tinyWeights()): Record<string, NamedFile> {
  return {
    weights: weightsFile(parts.tensors),
    ...(parts.config === null ? {} : { config: jsonFile("config.json", parts.config) }),
  };
}

/** Returns tensors in two shards with their index. */
export function shards(tensors: ReadonlyMap<string, Tensor>) {
  const names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
  const entries = [...tensors], half = Math.ceil(entries.length / 2);
  const parts = [new Map(entries.slice(0, half)), new Map(entries.slice(half))];
  const map: Record<string, unknown> = Object.fromEntries(
    parts.flatMap((part, i) => [...part.keys()].map((tensor) => [tensor, names[i]])),
  );
  return { files: parts.map((part, i) => weightsFile(part, names[i])), map };
}
