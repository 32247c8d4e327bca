/**
 * The check of named tensors from a file against the parameters of a model.
 *
 * @module
 */
import type { MaeConfig } from "./config.ts";
import {
  bufferTensors,
  type HostTensor,
  type HostWeights,
  type ModelShape,
  parameterSpecs,
} from "./weights.ts";

/** Tensors that do not fit a model; the message names the first of them. */
export class WeightsError extends Error {
  override readonly name = "WeightsError";
}

/**
 * The parameters of a model out of named tensors, which must be exactly those of its `state_dict`: every parameter
 * with its shape and finite values, the fixed tables (which may be absent) as the config gives them, and no others.
 *
 * @throws {WeightsError}
 */
export function checkWeights(
  weights: HostWeights,
  config: MaeConfig,
  shape: ModelShape,
): Map<string, HostTensor> {
  const specs = parameterSpecs(config, shape);
  const buffers = bufferTensors(config, shape);
  const known = new Set([...specs.map((spec) => spec.name), ...buffers.keys()]);
  const missing = specs.filter((spec) => !weights.has(spec.name)).map((spec) => spec.name);
  if (missing.length > 0) {
    throw new WeightsError(`${missing.length} tensors are missing, first '${missing[0]}'`);
  }
  const extra = [...weights.keys()].filter((name) => !known.has(name));
  if (extra.length > 0) {
    throw new WeightsError(`${extra.length} tensors are not the model's, first '${extra[0]}'`);
  }
  const expectShape = (name: string, wanted: readonly number[]) => {
    const found = weights.get(name)!.shape;
    if (found.length !== wanted.length || found.some((length, axis) => length !== wanted[axis])) {
      throw new WeightsError(`Tensor '${name}' has shape [${found}], the config needs [${wanted}]`);
    }
  };
  for (const [name, table] of buffers) {
    const found = weights.get(name);
    if (!found) continue;
    expectShape(name, table.shape);
    if (found.data.some((value, i) => !(Math.abs(value - table.data[i]) <= 1e-5))) {
      throw new WeightsError(`Tensor '${name}' is not the fixed sine/cosine table`);
    }
  }
  return new Map(specs.map(({ name, shape }) => {
    expectShape(name, shape);
    const tensor = weights.get(name)!;
    if (!tensor.data.every(Number.isFinite)) throw new WeightsError(`Tensor '${name}' holds NaN or infinity`);
    return [name, tensor];
  }));
}
