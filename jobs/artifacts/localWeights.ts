/**
 * Weights in local files, uploaded or downloaded, before they are imported.
 *
 * @module
 */

/** A local file. */
export interface LocalFile {
  /** Name for messages, and by which an index refers to it: that of the upload, or the last part of the address. */
  readonly name: string;
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
}

/** The files of a model. */
export interface LocalWeights {
  /** One or several safetensors files, which together have all tensors. */
  readonly files: readonly LocalFile[];
  /** Text of `model.safetensors.index.json`; null without one. */
  readonly indexText: string | null;
  /** Text of `config.json`; null without one. */
  readonly configText: string | null;
  /** Text of `preprocessor_config.json`; null without one. */
  readonly preprocessorText?: string | null;
}

/** The parts of an import, by which errors name what is wrong. They are the fields of the request. */
export type ImportField = "weights" | "index" | "config" | "preprocessor_config" | "class_names";

/** Files that cannot be imported. The message has the fault and what would be right. */
export class ImportError extends Error {
  override readonly name = "ImportError";
  /** @param field the part that is wrong */
  constructor(readonly field: ImportField, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
