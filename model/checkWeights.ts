/**
 * The check of named tensors from a file against the parameters of a model.
 *
 * @module
 */
import type { MaeConfig } from "./config.ts";
import type { Shape } from "./shape.ts";
import {
  type Architecture,
  bufferShapes,
  bufferTensors,
  type HostTensor,
  parameterSpecs,
} from "./weights.ts";

/** Named tensors are not the parameters of the model; the message names the first wrong one. */
export class WeightsError extends Error {
  override readonly name = "WeightsError";
}

/**
 * Checks the tensors of a file one after the other. They must be those of the model's `state_dict`: every parameter in
 * its shape and with finite values, and no other tensor. Position tables that can be computed may be absent; stored ones
 * are required.
 *
 * @example
 * ```ts
 * import { WeightsChecker } from "./checkWeights.ts";
 * import { PRESETS } from "./presets.ts";
 * import { initialWeights, parameterSpecs } from "./weights.ts";
 *
 * const architecture = { model: "mae" } as const;
 * const file = initialWeights(parameterSpecs(PRESETS.mnist, architecture), 0);
 * const checker = new WeightsChecker(PRESETS.mnist, architecture);
 * checker.checkNames(file.keys());
 * for (const [name, tensor] of file) console.log(checker.isRequired(name, tensor)); // true
 * ```
 */
export class WeightsChecker {
  /** By name, of the tensors that a file must have. */
  readonly #shapes: ReadonlyMap<string, Shape>;
  /** Position tables that a file may have; a stored table is a required tensor instead. */
  readonly #tables: ReadonlyMap<string, HostTensor>;

  constructor(config: MaeConfig, architecture: Architecture) {
    const parameters = parameterSpecs(config, architecture).map(({ name, shape }) => [name, shape] as const);
    const isStored = config.positions === "stored";
    this.#shapes = new Map([...parameters, ...(isStored ? bufferShapes(config, architecture) : [])]);
    this.#tables = isStored ? new Map() : bufferTensors(config, architecture);
  }

  /** Names of the tensors that a file must have. */
  get required(): string[] {
    return [...this.#shapes.keys()];
  }

  /** Checks the names of all tensors. @throws {WeightsError} for a missing one, and for one that is not of the model */
  checkNames(names: Iterable<string>): void {
    const found = new Set(names);
    const missing = this.required.filter((name) => !found.has(name));
    if (missing.length > 0) {
      throw new WeightsError(`${missing.length} tensors are missing, first '${missing[0]}'`);
    }
    const extra = [...found].filter((name) => !this.#shapes.has(name) && !this.#tables.has(name));
    if (extra.length > 0) {
      throw new WeightsError(`${extra.length} tensors do not belong to the model, first '${extra[0]}'`);
    }
  }

  /** Checks a tensor. Returns false for a position table that can be computed. @throws {WeightsError} */
  isRequired(name: string, { shape, data }: HostTensor): boolean {
    const table = this.#tables.get(name), expected = table?.shape ?? this.#shapes.get(name)!;
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
