/**
 * The first parameters of a training that starts from a checkpoint.
 *
 * @module
 */
import type { MaeConfig } from "../config.ts";
import {
  bufferShapes,
  bufferTensors,
  drawWeights,
  type HostTensor,
  type HostWeights,
  type ParameterSpec,
  parameterSpecs,
  type TensorStream,
} from "../weights.ts";
import { adaptTables, type ModelShape } from "./adaptTables.ts";
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

/** The model of a checkpoint, whose tensors are read one after the other. */
export interface SourceStream extends ModelShape {
  readonly weights: TensorStream;
}

/**
 * Yields the tensors of a model that starts from a checkpoint: its positions, if they are `stored`, and its parameters.
 * Parameters that the checkpoint lacks have their initial values: a decoder for an encoder, a head, and the layer norm
 * after or before the pooling, as in He et al.'s fine-tuning. Of the checkpoint's tensors, only the positions and the
 * layers that are converted are kept.
 *
 * @example
 * ```ts
 * import { PRESETS } from "../presets.ts";
 * import { collectTensors, initialWeights, parameterSpecs } from "../weights.ts";
 * import { adaptWeights } from "./adaptWeights.ts";
 *
 * const config = PRESETS.mnist, architecture = { model: "mae" } as const;
 * const weights = initialWeights(parameterSpecs(config, architecture), 0);
 * const target = { config: { ...config, inChannels: 3 }, architecture } as const;
 * const adapted = await collectTensors(adaptWeights({ config, architecture, weights }, target, { seed: 1 }));
 * console.log(adapted.get("encoder.patch_embed.projection.1.weight")?.shape); // [64, 48]
 * ```
 */
export async function* adaptWeights(
  source: SourceStream,
  target: ModelShape,
  { seed, labels = null }: AdaptOptions,
): AsyncGenerator<[string, HostTensor], void> {
  const { config, architecture } = target;
  const missing = new Map(parameterSpecs(config, architecture).map((spec) => [spec.name, spec]));
  const hasTables = source.config.positions === "stored";
  const tables = new TensorGroup(hasTables ? bufferShapes(source.config, source.architecture).keys() : []);
  const positions = () =>
    bufferTensors(config, architecture, adaptTables({ ...source, weights: tables }, target));
  if (config.positions === "stored" && !hasTables) yield* positions();
  const isConverted = convertsDifferently(source.config, config);
  const layers = new Map(
    Object.keys(PIXEL_LAYERS).map((name) => [name, new TensorGroup([`${name}.weight`, `${name}.bias`])]),
  );
  for await (const [name, tensor] of source.weights) {
    if (tables.add(name, tensor) && tables.isComplete) yield* positions();
    const spec = missing.get(name), layer = name.replace(/\.(weight|bias)$/, "");
    if (!spec || (layer === "head" && labels === null)) continue;
    missing.delete(name);
    const group = isConverted ? layers.get(layer) : undefined;
    if (layer === "head") yield [name, rowsOf(tensor, spec, labels!)];
    else if (!group?.add(name, tensor)) yield [name, tensor];
    else if (group.isComplete) {
      const { weight, bias } = PIXEL_LAYERS[layer](layerOf(group, layer), source.config, config);
      yield [`${layer}.weight`, weight];
      yield [`${layer}.bias`, bias];
    }
  }
  yield* drawWeights([...missing.values()], seed);
}

/** Tensors that are converted together, collected from a stream. */
class TensorGroup extends Map<string, HostTensor> {
  readonly #names: ReadonlySet<string>;

  constructor(names: Iterable<string>) {
    super();
    this.#names = new Set(names);
  }

  /** Whether all tensors are there. */
  get isComplete(): boolean {
    return this.size === this.#names.size;
  }

  /** Adds a tensor of the group. @returns false for another one */
  add(name: string, tensor: HostTensor): boolean {
    if (!this.#names.has(name)) return false;
    this.set(name, tensor);
    return true;
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
