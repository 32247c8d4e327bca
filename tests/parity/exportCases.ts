/**
 * Models whose exports are loaded by the libraries that they are for.
 *
 * @module
 */
import { completeConfig, imageDim, type MaeConfig, numPatches } from "../../model/config.ts";
import type { WeightsFormat } from "../../model/formats/format.ts";
import { namedNormalization } from "../../model/normalizations.ts";
import { reconstructWith } from "../../model/prediction/inference.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import { uniform } from "../../model/random.ts";
import { type Architecture, type HostWeights, initialWeights, parameterSpecs } from "../../model/weights.ts";
import type { Tensor } from "../../data/safetensors/safetensors.ts";

/** A model, the format of its export, and the function of `exported.py` that loads it. */
export interface ExportCase {
  readonly title: string;
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  /** @default random weights */
  readonly weights?: HostWeights;
  readonly format: WeightsFormat;
  readonly loader: "vitmae" | "vitmae_model" | "vit" | "timm_folder" | "timm_checkpoint" | "meta";
}

const SMALL = completeConfig({
  imageSize: 32,
  patchSize: 8,
  inChannels: 3,
  embedDim: 48,
  depth: 2,
  numHeads: 3,
  mlpRatio: 2,
  decoderEmbedDim: 32,
  decoderDepth: 2,
  decoderNumHeads: 2,
  clsToken: true,
  positions: "sincos_2d",
  layerNormEps: 1e-6,
  normalize: namedNormalization("imagenet", 3),
});

/** The published size with random weights. */
const VIT_TINY: MaeConfig = {
  ...SMALL,
  imageSize: 224,
  patchSize: 16,
  embedDim: 192,
  depth: 12,
  mlpRatio: 4,
  decoderEmbedDim: 512,
  decoderDepth: 8,
  decoderNumHeads: 16,
  decoderMlpRatio: 4,
  normPixLoss: true,
};

const mae = { model: "mae" } as const, encoder = { model: "encoder" } as const;
const classifier = { model: "classifier", classes: 5 } as const;

/** Models with random weights. */
export const EXPORT_CASES: readonly ExportCase[] = [
  { title: "a small MAE", config: SMALL, architecture: mae, format: "huggingface", loader: "vitmae" },
  {
    title: "an MAE with normalised targets, another eps and 1-D positions",
    config: { ...SMALL, normPixLoss: true, layerNormEps: 1e-5, positions: "sincos_1d", decoderMlpRatio: 3 },
    architecture: mae,
    format: "huggingface",
    loader: "vitmae",
  },
  { title: "ViT-Tiny/16", config: VIT_TINY, architecture: mae, format: "huggingface", loader: "vitmae" },
  {
    title: "the encoder of an MAE",
    config: SMALL,
    architecture: mae,
    format: "huggingface",
    loader: "vitmae_model",
  },
  {
    title: "an encoder",
    config: SMALL,
    architecture: encoder,
    format: "huggingface",
    loader: "vitmae_model",
  },
  {
    title: "a classifier of the class token",
    config: { ...SMALL, pool: "cls", normalize: namedNormalization("half", 3) },
    architecture: classifier,
    format: "huggingface",
    loader: "vit",
  },
  {
    title: "a classifier of the class token",
    config: { ...SMALL, pool: "cls" },
    architecture: classifier,
    format: "timm",
    loader: "timm_folder",
  },
  {
    title: "a classifier of the mean with fc_norm",
    config: { ...SMALL, fcNorm: true },
    architecture: classifier,
    format: "timm",
    loader: "timm_folder",
  },
  {
    title: "a classifier of the mean without class token",
    config: { ...SMALL, clsToken: false, positions: "sincos_1d" },
    architecture: classifier,
    format: "timm",
    loader: "timm_folder",
  },
  { title: "an encoder", config: VIT_TINY, architecture: encoder, format: "timm", loader: "timm_folder" },
  {
    title: "vit_tiny_patch16_224 of the mean with fc_norm",
    config: { ...VIT_TINY, fcNorm: true },
    architecture: classifier,
    format: "timm",
    loader: "timm_checkpoint",
  },
  { title: "the encoder of an MAE", config: SMALL, architecture: mae, format: "timm", loader: "timm_folder" },
  { title: "the encoder of an MAE", config: SMALL, architecture: mae, format: "meta", loader: "meta" },
  {
    title: "a classifier of the mean with fc_norm",
    config: { ...SMALL, fcNorm: true },
    architecture: classifier,
    format: "meta",
    loader: "meta",
  },
  {
    title: "a classifier of the class token",
    config: { ...SMALL, pool: "cls" },
    architecture: classifier,
    format: "meta",
    loader: "meta",
  },
];

/** Returns random weights in which no tensor is constant: biases and weights of norms are moved off 0 and 1. */
export function randomWeights(config: MaeConfig, architecture: Architecture): HostWeights {
  const weights = initialWeights(parameterSpecs(config, architecture), 7);
  for (const [name, { shape, data }] of weights) {
    if (shape.length !== 1) continue;
    const noise = uniform({ seed: 7, purpose: `noise/${name}` }, data.length);
    for (let i = 0; i < data.length; i++) data[i] += 0.1 * (noise[i] - 0.5);
  }
  return weights;
}

const BATCH = 2;

/** Returns the inputs of a case and the outputs of our predictor, as `exported.py` reads them. */
export async function expectedTensors(
  predictor: Predictor,
  { loader, architecture }: ExportCase,
): Promise<Map<string, Tensor>> {
  const { config } = predictor, { imageSize, inChannels } = config, patches = numPatches(config);
  const bytes = Uint8Array.from(
    uniform({ seed: 1, purpose: "images" }, BATCH * imageDim(config)),
    (value) => value * 256,
  );
  const pixels = Float32Array.from(bytes, (value) => value / 255);
  const tensors = new Map<string, Tensor>([
    ["images", { dtype: "U8", shape: [BATCH, imageSize, imageSize, inChannels], data: bytes }],
  ]);
  const add = (name: string, shape: number[], data: Float32Array) =>
    tensors.set(name, { dtype: "F32", shape, data });
  if (loader === "vitmae") {
    const noise = uniform({ seed: 2, purpose: "noise" }, BATCH * patches);
    const { pred, mask, losses } = await reconstructWith(predictor, pixels, noise, config.maskRatio);
    add("noise", [BATCH, patches], noise);
    add("expected.pred", [BATCH, patches, pred.length / BATCH / patches], pred);
    add("expected.mask", [BATCH, patches], mask);
    add("expected.loss", [1], Float32Array.of(losses.reduce((sum, loss) => sum + loss / BATCH, 0)));
    return tensors;
  }
  const isClassifier = architecture.model === "classifier";
  const values = isClassifier ? await predictor.logits(pixels) : await predictor.features(pixels);
  add(isClassifier ? "expected.logits" : "expected.features", [BATCH, values.length / BATCH], values);
  return tensors;
}
