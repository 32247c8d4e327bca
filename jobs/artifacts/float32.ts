/**
 * The type of the tensors in stored checkpoints.
 *
 * @module
 */
import type { Dtype, Tensor } from "../../data/safetensors/dtype.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import type { HostTensor } from "../../model/weights.ts";

/** Returns the error for a tensor of another type than F32. */
export function dtypeError(name: string, dtype: Dtype): WeightsError {
  return new WeightsError(`Tensor '${name}' has dtype ${dtype}: it must be F32`);
}

/** Returns a tensor's shape and values. @throws {WeightsError} unless it has the type F32 */
export function float32Tensor(name: string, { dtype, shape, data }: Tensor): HostTensor {
  if (dtype !== "F32") throw dtypeError(name, dtype);
  return { shape, data };
}
