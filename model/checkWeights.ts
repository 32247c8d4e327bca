/**
 * The check of named tensors from a file against the parameters of a model.
 *
 * @module
 */
import type { MaeConfig } from "./config.ts";
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
  const specs = parameterSpecs(config, architecture);
  const buffers = bufferTensors(config, architecture);
  const allowed = new Set([...specs.map((spec) => spec.name), ...buffers.keys()]);
  const missing = specs.filter((spec) => !weights.has(spec.name)).map((spec) => spec.name);
  if (missing.length > 0) {
    throw new WeightsError(`${missing.length} tensors are missing, first '${missing[0]}'`);
  }
  const extra = [...weights.keys()].filter((name) => !allowed.has(name));
  if (extra.length > 0) {
    throw new WeightsError(`${extra.length} tensors do not belong to the model, first '${extra[0]}'`);
  }
  const checkShape = (name: string, expected: readonly number[]) => {
    const { shape } = weights.get(name)!;
    if (shape.length !== expected.length || shape.some((length, axis) => length !== expected[axis])) {
      throw new WeightsError(`Tensor '${name}' has shape [${shape}], the config needs [${expected}]`);
    }
  };
  for (const [name, table] of buffers) {
    const found = weights.get(name);
    if (!found) continue;
    checkShape(name, table.shape);
    if (found.data.some((value, i) => !(Math.abs(value - table.data[i]) <= 1e-5))) {
      throw new WeightsError(`Tensor '${name}' is not the fixed table of sine and cosine positions`);
    }
  }
  return new Map(specs.map(({ name, shape }) => {
    checkShape(name, shape);
    const tensor = weights.get(name)!;
    if (!tensor.data.every(Number.isFinite)) {
      throw new WeightsError(`Tensor '${name}' contains NaN or infinity`);
    }
    return [name, tensor];
  }));
}
