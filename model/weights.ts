/**
 * The parameters of a model by their PyTorch `state_dict` names: which there are, how they begin, and the fixed
 * position tables that a `state_dict` holds beside them.
 *
 * @module
 */
import { hiddenDim, type MaeConfig, numPatches, patchDim } from "./config.ts";
import { sinusoidalPositions } from "./positions.ts";
import { normal, uniform } from "./random.ts";
import { sizeOf } from "./shape.ts";

/** A parameter or buffer on the host, in PyTorch's layout (Linear weights are `[out, in]`). */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** Named tensors on the host, in `state_dict` order. */
export type HostWeights = ReadonlyMap<string, HostTensor>;

/** How a parameter begins. `bound`: uniform in ±bound; `normal`: N(0, std²). */
type Init = { bound: number } | { normal: number } | { constant: number };

/** A parameter's name, shape and beginning. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Init;
}

/** `torch.nn.Linear`: weight and bias uniform in ±1/√in (`kaiming_uniform_(a=√5)`). */
function linearSpecs(name: string, inDim: number, outDim: number): ParameterSpec[] {
  const bound = 1 / Math.sqrt(inDim);
  return [
    { name: `${name}.weight`, shape: [outDim, inDim], init: { bound } },
    { name: `${name}.bias`, shape: [outDim], init: { bound } },
  ];
}

function normSpecs(name: string, dim: number): ParameterSpec[] {
  return [
    { name: `${name}.weight`, shape: [dim], init: { constant: 1 } },
    { name: `${name}.bias`, shape: [dim], init: { constant: 0 } },
  ];
}

/** A pre-norm block; `torch.nn.MultiheadAttention` starts with Xavier-uniform `in_proj` and zero biases. */
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

/** Parameters of the encoder (tutorial step 5). */
export function encoderSpecs(config: MaeConfig): ParameterSpec[] {
  const { embedDim: dim, depth, mlpRatio } = config;
  return [
    ...linearSpecs("encoder.patch_embed.projection.1", patchDim(config), dim),
    ...Array.from(
      { length: depth },
      (_, i) => blockSpecs(`encoder.blocks.${i}`, dim, hiddenDim(dim, mlpRatio)),
    )
      .flat(),
    ...normSpecs("encoder.norm", dim),
  ];
}

/** Parameters of the decoder (tutorial step 6). */
export function decoderSpecs(config: MaeConfig): ParameterSpec[] {
  const { decoderEmbedDim: dim, decoderDepth, mlpRatio } = config;
  return [
    { name: "decoder.mask_token", shape: [1, 1, dim], init: { normal: 0.02 } },
    ...linearSpecs("decoder.decoder_embed", config.embedDim, dim),
    ...Array.from(
      { length: decoderDepth },
      (_, i) => blockSpecs(`decoder.decoder_blocks.${i}`, dim, hiddenDim(dim, mlpRatio)),
    ).flat(),
    ...normSpecs("decoder.decoder_norm", dim),
    ...linearSpecs("decoder.decoder_pred", dim, patchDim(config)),
  ];
}

/** Parameters of the classification head, a linear layer on the encoder's width. */
export function headSpecs(config: MaeConfig, classes: number): ParameterSpec[] {
  return linearSpecs("head", config.embedDim, classes);
}

/** What a model is: the MAE itself, or the encoder with a head of so many classes. */
export type ModelShape = { readonly model: "mae" } | {
  readonly model: "classifier";
  readonly classes: number;
};

/** Every trainable parameter of a model, in `state_dict` order. */
export function parameterSpecs(config: MaeConfig, shape: ModelShape): ParameterSpec[] {
  const rest = shape.model === "mae" ? decoderSpecs(config) : headSpecs(config, shape.classes);
  return [...encoderSpecs(config), ...rest];
}

/** Number of trainable parameters of a model. The fixed position tables are not counted. */
export function parameterCount(config: MaeConfig, shape: ModelShape): number {
  return parameterSpecs(config, shape).reduce((sum, spec) => sum + sizeOf(spec.shape), 0);
}

/** The fixed tables that PyTorch keeps as buffers, so that `load_state_dict` finds them. */
export function bufferTensors(config: MaeConfig, shape: ModelShape): Map<string, HostTensor> {
  const n = numPatches(config);
  const table = (dim: number) => ({ shape: [1, n, dim], data: sinusoidalPositions(n, dim) });
  const buffers = new Map([["encoder.pos_embed.pe", table(config.embedDim)]]);
  if (shape.model === "mae") buffers.set("decoder.decoder_pos_embed.pe", table(config.decoderEmbedDim));
  return buffers;
}

/** First values of parameters: PyTorch's default distributions, each drawn from (seed, its own name). */
export function initialWeights(specs: readonly ParameterSpec[], seed: number): Map<string, HostTensor> {
  return new Map(specs.map(({ name, shape, init }) => {
    const size = sizeOf(shape);
    const key = { seed, purpose: `init/${name}` };
    let data: Float32Array<ArrayBuffer>;
    if ("constant" in init) data = new Float32Array(size).fill(init.constant);
    else if ("normal" in init) data = normal(key, size).map((value) => value * init.normal);
    else data = uniform(key, size).map((value) => (2 * value - 1) * init.bound);
    return [name, { shape, data }];
  }));
}
