/**
 * The parameters of a model: their PyTorch `state_dict` names, shapes and initial values, and the fixed position
 * tables that a `state_dict` contains too.
 *
 * @module
 */
import { hiddenDim, type MaeConfig, numTokens, patchDim } from "./config.ts";
import { DECODER_TABLE, ENCODER_TABLE, type PositionTables, positionTables } from "./positions.ts";
import { normal, uniform } from "./random.ts";
import { type Shape, sizeOf } from "./shape.ts";

/** A parameter or buffer on the host, in PyTorch's layout (Linear weights are `[out, in]`). */
export interface HostTensor {
  readonly shape: readonly number[];
  /** May be a view of memory that threads share. */
  readonly data: Float32Array;
}

/** Named tensors on the host, in `state_dict` order. */
export type HostWeights = ReadonlyMap<string, HostTensor>;

/** Returns the size of tensors. */
export function bytesOf(weights: HostWeights): number {
  return weights.values().reduce((sum, { data }) => sum + data.byteLength, 0);
}

/**
 * Named tensors, one after the other, so that a large model need not be in memory twice. It may be readable only once.
 */
export type TensorStream =
  | Iterable<readonly [string, HostTensor]>
  | AsyncIterable<readonly [string, HostTensor]>;

/** Returns a stream that can be read several times. @param open returns the tensors from the first one on */
export function rereadable(open: () => TensorStream | Promise<TensorStream>): TensorStream {
  return {
    async *[Symbol.asyncIterator]() {
      yield* await open();
    },
  };
}

/** Reads a stream of tensors to its end. */
export async function collectTensors(stream: TensorStream): Promise<Map<string, HostTensor>> {
  const tensors = new Map<string, HostTensor>();
  for await (const [name, tensor] of stream) tensors.set(name, tensor);
  return tensors;
}

/**
 * Passes the tensors of a stream to functions by name. Tensors without a function are ignored.
 *
 * @throws {RangeError} when a tensor is missing
 */
export async function distribute(
  stream: TensorStream,
  targets: ReadonlyMap<string, (tensor: HostTensor) => void>,
): Promise<void> {
  const missing = new Set(targets.keys());
  for await (const [name, tensor] of stream) {
    targets.get(name)?.(tensor);
    missing.delete(name);
  }
  if (missing.size > 0) {
    throw new RangeError(`${missing.size} of ${targets.size} tensors are missing`);
  }
}

/** Initial distribution of a parameter. `bound`: uniform in ±bound; `normal`: N(0, normal²). */
type Init = { bound: number } | { normal: number } | { constant: number };

/** Name, shape and initial distribution of a parameter. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Init;
}

/** `torch.nn.Linear`: weight and bias are uniform in ±1/√in (`kaiming_uniform_(a=√5)`). */
function linearSpecs(name: string, inDim: number, outDim: number): ParameterSpec[] {
  const bound = 1 / Math.sqrt(inDim);
  return [
    { name: `${name}.weight`, shape: [outDim, inDim], init: { bound } },
    { name: `${name}.bias`, shape: [outDim], init: { bound } },
  ];
}

/** `torch.nn.LayerNorm`. */
function normSpecs(name: string, dim: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [dim], init: { constant: 1 } },
    { name: `${name}.bias`, shape: [dim], init: { constant: 0 } },
  ];
}

/** A pre-norm block. `torch.nn.MultiheadAttention` has a Xavier-uniform `in_proj` and zero biases. */
function blockSpecs(name: string, dim: number, hidden: number): ParameterSpec[] {
  const [outWeight, outBias] = linearSpecs(`${name}.attn.out_proj`, dim, dim);
  return [
    ...normSpecs(`${name}.norm1`, dim),
    { name: `${name}.attn.in_proj_weight`, shape: [3 * dim, dim], init: { bound: Math.sqrt(6 / (4 * dim)) } },
    { name: `${name}.attn.in_proj_bias`, shape: [3 * dim], init: { constant: 0 } },
    outWeight,
    { ...outBias, init: { constant: 0 } },
    ...normSpecs(`${name}.norm2`, dim),
    ...linearSpecs(`${name}.mlp.0`, dim, hidden),
    ...linearSpecs(`${name}.mlp.3`, hidden, dim),
  ];
}

/** `depth` blocks, named `name.0`, `name.1`, … */
function blocksSpecs(name: string, depth: number, dim: number, mlpRatio: number): ParameterSpec[] {
  const hidden = hiddenDim(dim, mlpRatio);
  return Array.from({ length: depth }, (_, i) => blockSpecs(`${name}.${i}`, dim, hidden)).flat();
}

/** Returns the parameters of the encoder. @param withNorm whether it has the last layer norm */
export function encoderSpecs(config: MaeConfig, withNorm = true): ParameterSpec[] {
  const { embedDim: dim, depth, mlpRatio, clsToken } = config;
  return [
    ...(clsToken ? [{ name: "encoder.cls_token", shape: [1, 1, dim], init: { normal: 0.02 } }] : []),
    ...linearSpecs("encoder.patch_embed.projection.1", patchDim(config), dim),
    ...blocksSpecs("encoder.blocks", depth, dim, mlpRatio),
    ...(withNorm ? normSpecs("encoder.norm", dim) : []),
  ];
}

/** Returns the parameters of the decoder. */
function decoderSpecs(config: MaeConfig): ParameterSpec[] {
  const { decoderEmbedDim: dim, decoderDepth, decoderMlpRatio } = config;
  return [
    { name: "decoder.mask_token", shape: [1, 1, dim], init: { normal: 0.02 } },
    ...linearSpecs("decoder.decoder_embed", config.embedDim, dim),
    ...blocksSpecs("decoder.decoder_blocks", decoderDepth, dim, decoderMlpRatio),
    ...normSpecs("decoder.decoder_norm", dim),
    ...linearSpecs("decoder.decoder_pred", dim, patchDim(config)),
  ];
}

/** Returns the parameters of the classification head: a linear layer, with a layer norm before it for `fcNorm`. */
export function headSpecs(config: MaeConfig, classes: number): ParameterSpec[] {
  const { embedDim: dim, fcNorm } = config;
  return [...(fcNorm ? normSpecs("fc_norm", dim) : []), ...linearSpecs("head", dim, classes)];
}

/** The MAE, its encoder alone, or a classifier: the encoder with a head of `classes` outputs. */
export type Architecture = { readonly model: "mae" } | { readonly model: "encoder" } | {
  readonly model: "classifier";
  readonly classes: number;
};

/** The name of an architecture. */
export type ModelName = Architecture["model"];

/**
 * Returns every parameter of a model, in `state_dict` order.
 *
 * @example
 * ```ts
 * import { PRESETS } from "./presets.ts";
 * import { parameterSpecs } from "./weights.ts";
 *
 * const [first] = parameterSpecs(PRESETS.mnist, { model: "mae" });
 * console.log(first.name, first.shape); // encoder.patch_embed.projection.1.weight [64, 16]
 * ```
 */
export function parameterSpecs(config: MaeConfig, architecture: Architecture): ParameterSpec[] {
  switch (architecture.model) {
    case "mae":
      return [...encoderSpecs(config), ...decoderSpecs(config)];
    case "encoder":
      return encoderSpecs(config);
    case "classifier":
      return [...encoderSpecs(config, !config.fcNorm), ...headSpecs(config, architecture.classes)];
  }
}

/**
 * Number of values of all parameters of a model. The fixed position tables are not counted.
 *
 * @example
 * ```ts
 * import { PRESETS } from "./presets.ts";
 * import { parameterCount } from "./weights.ts";
 *
 * console.log(parameterCount(PRESETS.mnist, { model: "mae" })); // 154896
 * ```
 */
export function parameterCount(config: MaeConfig, architecture: Architecture): number {
  return parameterSpecs(config, architecture).reduce((sum, spec) => sum + sizeOf(spec.shape), 0);
}

/** Returns whether the optimiser changes a parameter. With a frozen encoder, it changes those of the head only. */
export function isTrainable(name: string, freezeEncoder: boolean): boolean {
  return !freezeEncoder || name.startsWith("head.") || name.startsWith("fc_norm.");
}

/** Returns the shapes of the fixed position tables by their names. */
export function bufferShapes(config: MaeConfig, architecture: Architecture): Map<string, Shape> {
  const tokens = numTokens(config), shapes = new Map<string, Shape>();
  shapes.set(ENCODER_TABLE, [1, tokens, config.embedDim]);
  if (architecture.model === "mae") shapes.set(DECODER_TABLE, [1, tokens, config.decoderEmbedDim]);
  return shapes;
}

/**
 * Returns the fixed position tables: PyTorch's `load_state_dict` expects them as buffers.
 *
 * @param tables those that the configuration determines by default
 */
export function bufferTensors(
  config: MaeConfig,
  architecture: Architecture,
  tables: PositionTables = positionTables(config),
): Map<string, HostTensor> {
  const data = new Map([[ENCODER_TABLE, tables.encoder], [DECODER_TABLE, tables.decoder]]);
  return new Map(
    [...bufferShapes(config, architecture)].map(([name, shape]) => [name, { shape, data: data.get(name)! }]),
  );
}

/**
 * Draws the initial values of parameters. They depend on the seed and the parameter's name alone.
 *
 * @example
 * ```ts
 * import { PRESETS } from "./presets.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * const weights = initialWeights(parameterSpecs(PRESETS.mnist, { model: "mae" }), 0);
 * console.log(weights.get("decoder.mask_token")?.shape); // [1, 1, 32]
 * ```
 */
export function initialWeights(specs: readonly ParameterSpec[], seed: number): Map<string, HostTensor> {
  return new Map(drawWeights(specs, seed));
}

/** Draws the values of {@linkcode initialWeights} one tensor after the other. */
export function* drawWeights(
  specs: readonly ParameterSpec[],
  seed: number,
): Generator<[string, HostTensor], void> {
  for (const { name, shape, init } of specs) {
    const size = sizeOf(shape);
    const key = { seed, purpose: `init/${name}` };
    let data: Float32Array;
    if ("constant" in init) data = new Float32Array(size).fill(init.constant);
    else if ("normal" in init) data = normal(key, size).map((value) => value * init.normal);
    else data = uniform(key, size).map((value) => (2 * value - 1) * init.bound);
    yield [name, { shape, data }];
  }
}
