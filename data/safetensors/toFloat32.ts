/**
 * Converts stored tensors to float32.
 *
 * @module
 */
import type { Tensor } from "./dtype.ts";
import { SafetensorsError } from "./error.ts";

/**
 * Returns the values of a tensor as float32. F16 and BF16 are converted exactly, F64 is rounded to nearest. The values
 * of an F32 tensor are returned as they are, without a copy.
 *
 * @throws {SafetensorsError} for a tensor of another type
 *
 * @example
 * ```ts
 * import { toFloat32 } from "./toFloat32.ts";
 *
 * const half = toFloat32({ dtype: "F16", shape: [2], data: new Uint16Array([0x3c00, 0x3800]) });
 * console.log(half); // 1, 0.5
 * ```
 */
export function toFloat32(tensor: Tensor): Float32Array {
  switch (tensor.dtype) {
    case "F32":
      return tensor.data;
    case "F64":
      return new Float32Array(tensor.data);
    case "F16": {
      const { buffer, byteOffset, length } = tensor.data;
      return new Float32Array(new Float16Array(buffer, byteOffset, length));
    }
    case "BF16": {
      const values = new Float32Array(tensor.data.length), bits = new Uint32Array(values.buffer);
      for (let i = 0; i < bits.length; i++) bits[i] = tensor.data[i] << 16;
      return values;
    }
    default:
      throw new SafetensorsError(
        `A tensor of ${tensor.dtype} cannot be converted to float32: it must be F32, F16, BF16 or F64`,
      );
  }
}
