/**
 * The first parameters of a training that starts from a checkpoint.
 *
 * @module
 */
import type { MaeConfig } from "../config.ts";
import {
  bufferTensors,
  drawWeights,
  type HostTensor,
  type HostWeights,
  type ParameterSpec,
  parameterSpecs,
} from "../weights.ts";
import { adaptTables, type ModelShape, type SourceModel } from "./adaptTables.ts";
import { convertsDifferently, embeddingFor, type LinearLayer, predictionFor } from "./channels.ts";

/** Options of {@linkcode adaptWeights}. */
export interface AdaptOptions {
  /** Seed of the parameters that the checkpoint lacks. */
  readonly seed: number;
  /** The source's label for each label of the target, if both are classifiers. Without it, the head is new. */
  readonly labels?: Uint16Array | null;
}

/** Layers that are linear in the pixels. */
const PIXEL_LAYERS: Readonly<Record<string, typeof embeddingFor>> = {
  "encoder.patch_embed.projection.1": embeddingFor,
  "decoder.decoder_pred": predictionFor,
};

/**
 * Yields the tensors of a model that starts from a checkpoint: its positions, if they are `stored`, and its parameters.
 * Parameters that the checkpoint lacks have their initial values: a decoder for an encoder, a head, and the layer norm
 * after or before the pooling, as in He et al.'s fine-tuning.
 *
 * @example
 * ```ts
 * import { PRESETS } from "../presets.ts";
 * import { initialWeights, parameterSpecs } from "../weights.ts";
 * import { adaptWeights } from "./adaptWeights.ts";
 *
 * const config = PRESETS.mnist, architecture = { model: "mae" } as const;
 * const weights = initialWeights(parameterSpecs(config, architecture), 0);
 * const target = { config: { ...config, inChannels: 3 }, architecture } as const;
 * const adapted = new Map(adaptWeights({ config, architecture, weights }, target, { seed: 1 }));
 * console.log(adapted.get("encoder.patch_embed.projection.1.weight")?.shape); // [64, 48]
 * ```
 */
export function* adaptWeights(
  source: SourceModel,
  target: ModelShape,
  { seed, labels = null }: AdaptOptions,
): Generator<[string, HostTensor], void> {
  const { config, architecture } = target;
  if (config.positions === "stored") {
    yield* bufferTensors(config, architecture, adaptTables(source, target));
  }
  const isConverted = convertsDifferently(source.config, config);
  for (const spec of parameterSpecs(config, architecture)) {
    const { name } = spec, layer = name.replace(/\.(weight|bias)$/, "");
    const stored = source.weights.get(name);
    if (stored === undefined || (layer === "head" && labels === null)) yield* drawWeights([spec], seed);
    else if (layer === "head") yield [name, rowsOf(stored, spec, labels!)];
    else if (isConverted && layer in PIXEL_LAYERS) {
      const converted = PIXEL_LAYERS[layer](layerOf(source.weights, layer), source.config, config);
      yield [name, name.endsWith("weight") ? converted.weight : converted.bias];
    } else yield [name, stored];
  }
}

function layerOf(weights: HostWeights, name: string): LinearLayer {
  return { weight: weights.get(`${name}.weight`)!, bias: weights.get(`${name}.bias`)! };
}

/** Returns the rows of a head that belong to the classes of the target. */
function rowsOf({ data }: HostTensor, { shape }: ParameterSpec, labels: Uint16Array): HostTensor {
  const [classes, width = 1] = shape, rows = new Float32Array(classes * width);
  for (const [row, label] of labels.entries()) {
    rows.set(data.subarray(label * width, (label + 1) * width), row * width);
  }
  return { shape, data: rows };
}

/**
 * Describes how a model differs from the checkpoint that it starts from, one sentence for each change.
 *
 * @param keepsHead whether the head is that of the checkpoint, for a classifier
 */
export function adaptationNotes(source: ModelShape, target: ModelShape, keepsHead: boolean): string[] {
  const { config: from, architecture: { model } } = source, { config: to, architecture } = target;
  const side = ({ imageSize, patchSize }: MaeConfig) => imageSize / patchSize;
  const grid = (config: MaeConfig) => `${side(config)} x ${side(config)}`;
  const predicted = ({ normPixLoss }: MaeConfig) => normPixLoss ? "normalised patches" : "pixels";
  const isClassifier = architecture.model === "classifier";
  const hasNorm = model !== "classifier" || !from.fcNorm;
  const notes: (string | false)[] = [
    side(from) !== side(to) &&
    `The positions are interpolated from ${grid(from)} to ${grid(to)} patches`,
    from.inChannels !== to.inChannels &&
    `The patch embedding is converted from ${from.inChannels} to ${to.inChannels} channels`,
    from.inChannels === to.inChannels && convertsDifferently(from, to) &&
    "The new normalisation is folded into the patch embedding, so that features stay the same",
    architecture.model === "mae" && model !== "mae" && "The decoder is new, because the checkpoint has none",
    architecture.model === "mae" && model === "mae" && from.normPixLoss !== to.normPixLoss &&
    `The decoder of the checkpoint predicts ${predicted(from)}, and learns to predict ${predicted(to)}`,
    isClassifier && to.fcNorm && !(model === "classifier" && from.fcNorm) &&
    "The layer norm after the pooling is new (weight 1, bias 0)",
    isClassifier && !to.fcNorm && !hasNorm && "The encoder's last layer norm is new (weight 1, bias 0)",
    isClassifier && model === "classifier" &&
    (keepsHead
      ? "The head is that of the checkpoint, because it has the data set's classes"
      : "The head is new, because the checkpoint's classes are not those of the data set"),
  ];
  return notes.filter((note) => note !== false);
}
