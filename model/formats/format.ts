/**
 * The formats of weights, and the plans by which tensors are converted from and to them.
 *
 * @module
 */
import type { MaeConfig } from "../config.ts";
import type { Architecture, HostTensor } from "../weights.ts";

/**
 * The names of the formats. `unmask`: the tutorial's `state_dict` names. `huggingface`: ViTMAE and ViT of transformers.
 * `meta`: facebookresearch/mae. `timm`: the ViT of timm, whose names are those of Meta's encoder.
 */
export const WEIGHTS_FORMATS = ["unmask", "huggingface", "meta", "timm"] as const;

/** The name of a format. */
export type WeightsFormat = (typeof WEIGHTS_FORMATS)[number];

/** Type and shape of a stored tensor. The type is named as in safetensors, such as `F32`. */
export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Files to import. */
export interface ImportRequest {
  /** The tensors of all files by name. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The parsed `config.json`, or null without one. */
  readonly config: Readonly<Record<string, unknown>> | null;
  /** The parsed `preprocessor_config.json` of Hugging Face. @default null */
  readonly preprocessor?: Readonly<Record<string, unknown>> | null;
  /** The metadata of the safetensors file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Reads a tensor and converts it to float32. */
  read(name: string): Promise<HostTensor>;
}

/** A tensor of our model, and how it is made of stored ones. */
export interface ImportedTensor {
  /** Our name of a parameter or a position table. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Names of the stored tensors. Empty for a tensor of zeros, such as the bias of a model without one. */
  readonly sources: readonly string[];
  /** Returns the tensor. @param sources the stored tensors, converted to float32 */
  convert(sources: readonly HostTensor[]): HostTensor;
}

/** A half of a model that a file may lack. */
export type Half = "decoder" | "head";

/** How files become a model. Names, shapes and types are checked; the values of parameters are not. */
export interface ImportPlan {
  readonly format: WeightsFormat;
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  /** The names of the classes, or null where the files do not name them, or for a model without classes. */
  readonly classNames: readonly string[] | null;
  /** The parameters, and the position tables if `config.positions` is `stored`. */
  readonly tensors: readonly ImportedTensor[];
  /** What the model does not have. It decides what the model can be used for. */
  readonly missing: readonly Half[];
  /** Sentences about ignored tensors and assumed values. */
  readonly notes: readonly string[];
}

/** A model to export. */
export interface ExportRequest {
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  /** The names of the classes of a classifier, or null. */
  readonly classNames: readonly string[] | null;
  readonly format: WeightsFormat;
  /** How images of another shape are resized, for `preprocessor_config.json`. @default "squash" */
  readonly resize?: "squash" | "crop" | "pad";
  /** The colour of the bars of padded images: `black`, `white`, `#rrggbb`, or `none` for black. @default "none" */
  readonly background?: string;
}

/** A tensor of an exported file, and how it is made of ours. */
export interface ExportedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Our names of parameters and position tables. */
  readonly sources: readonly string[];
  /** Returns the tensor. @param sources the tensors of our model */
  convert(sources: readonly HostTensor[]): HostTensor;
}

/** How a model becomes a file of another format. */
export interface ExportPlan {
  readonly tensors: readonly ExportedTensor[];
  /** The content of `config.json`. */
  readonly configJson: Record<string, unknown> | null;
  /** The content of `preprocessor_config.json`, for Hugging Face. */
  readonly preprocessorJson: Record<string, unknown> | null;
  /** Sentences for `README.txt`, on what the other files cannot describe. */
  readonly notes?: readonly string[];
}

/** A model cannot be expressed in a format. The message has the reason, and what would work. */
export class FormatError extends Error {
  override readonly name = "FormatError";
}
