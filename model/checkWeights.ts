/**
 * The check of named tensors from a file against the parameters of a model.
 *
 * @module
 */
import type { MaeConfig } from "./config.ts";
import type { Shape } from "./shape.ts";
import {
  type Architecture,
  bufferTensors,
  type HostTensor,
  type HostWeights,
  parameterSpecs,
} from "./weights.ts";

/** Named tensors are not the parameters of the model; the message names the first wrong one. */
export class WeightsError extends Error {
  override readonly name = "WeightsError";
}

/**
 * Returns the parameters of a model from named tensors. The tensors must be those of the model's `state_dict`: every
 * parameter in its shape and with finite values, and no other tensor. The fixed position tables may be absent.
 *
 * @throws {WeightsError} when they are not
 *
 * @example
 * ```ts
 * import { checkWeights } from "./checkWeights.ts";
 * import { PRESETS } from "./presets.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * const architecture = { model: "mae" } as const;
 * const file = initialWeights(parameterSpecs(PRESETS.mnist, architecture), 0);
 * const weights = checkWeights(file, PRESETS.mnist, architecture);
 * ```
 */
export function checkWeights(
  weights: HostWeights,
  config: MaeConfig,
  architecture: Architecture,
): Map<string, HostTensor> {
  const checker = new WeightsChecker(config, architecture);
  checker.checkNames(weights.keys());
  for (const [name, tensor] of weights) checker.isParameter(name, tensor);
  return new Map(parameterSpecs(config, architecture).map(({ name }) => [name, weights.get(name)!]));
}

/** Checks the tensors of a file one after the other, under the rules of {@linkcode checkWeights}. */
export class WeightsChecker {
  readonly #shapes: ReadonlyMap<string, Shape>;
  readonly #buffers: ReadonlyMap<string, HostTensor>;

  constructor(config: MaeConfig, architecture: Architecture) {
    this.#shapes = new Map(parameterSpecs(config, architecture).map(({ name, shape }) => [name, shape]));
    this.#buffers = bufferTensors(config, architecture);
  }

  /** Checks the names of all tensors. @throws {WeightsError} for a missing one, and for one that is not of the model */
  checkNames(names: Iterable<string>): void {
    const found = new Set(names);
    const missing = [...this.#shapes.keys()].filter((name) => !found.has(name));
    if (missing.length > 0) {
      throw new WeightsError(`${missing.length} tensors are missing, first '${missing[0]}'`);
    }
    const extra = [...found].filter((name) => !this.#shapes.has(name) && !this.#buffers.has(name));
    if (extra.length > 0) {
      throw new WeightsError(`${extra.length} tensors do not belong to the model, first '${extra[0]}'`);
    }
  }

  /** Checks a tensor. Returns false for a fixed position table. @throws {WeightsError} */
  isParameter(name: string, { shape, data }: HostTensor): boolean {
    const table = this.#buffers.get(name), expected = table?.shape ?? this.#shapes.get(name)!;
    if (shape.length !== expected.length || shape.some((length, axis) => length !== expected[axis])) {
      throw new WeightsError(`Tensor '${name}' has shape [${shape}], the config needs [${expected}]`);
    }
    if (table && data.some((value, i) => !(Math.abs(value - table.data[i]) <= 1e-5))) {
      throw new WeightsError(`Tensor '${name}' is not the fixed table of sine and cosine positions`);
    }
    if (!table && !data.every(Number.isFinite)) {
      throw new WeightsError(`Tensor '${name}' contains NaN or infinity`);
    }
    return !table;
  }
}
