/**
 * Rounds float32 values to a narrower type of safetensors files.
 *
 * @module
 */
import type { Tensor } from "./dtype.ts";

/** The types in which weights can be written. */
export const FLOAT_DTYPES = ["F32", "F16", "BF16"] as const;

/** The name of a type in which weights can be written. */
export type FloatDtype = (typeof FLOAT_DTYPES)[number];

/** A finite value is too large for the type. */
export class OverflowError extends Error {
  override readonly name = "OverflowError";
  constructor(tensor: string, readonly dtype: FloatDtype, value: number) {
    super(`the tensor '${tensor}' has the value ${value}, which is too large for ${dtype}`);
  }
}

/** The smallest magnitude that is rounded to infinity: half a unit in the last place above the largest finite value. */
const OVERFLOW: Readonly<Record<FloatDtype, number>> = {
  F32: Infinity,
  F16: 65520,
  BF16: (2 - 2 ** -8) * 2 ** 127,
};

/**
 * Rounds values to the nearest number of a type, ties to even, as PyTorch's `Tensor.to` does. Small values become
 * subnormal numbers or zero. NaN and infinities stay what they are.
 *
 * @param name of the tensor, for the error
 * @returns the values; for F16 and BF16 their bits
 * @throws {OverflowError} for a finite value that would become infinite
 */
export function fromFloat32(name: string, data: Float32Array, dtype: FloatDtype): Tensor["data"] {
  if (dtype === "F32") return data;
  checkRange(name, data, dtype);
  return dtype === "F16" ? new Uint16Array(new Float16Array(data).buffer) : toBfloat16(data);
}

/** Checks that no finite value would become infinite. @throws {OverflowError} */
export function checkRange(name: string, data: Float32Array, dtype: FloatDtype): void {
  const limit = OVERFLOW[dtype];
  for (const value of data) {
    if (Math.abs(value) >= limit && Number.isFinite(value)) throw new OverflowError(name, dtype, value);
  }
}

/** Returns the upper halves of float32 numbers, rounded by the lower ones. */
function toBfloat16(data: Float32Array): Uint16Array {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const rounded = new Uint16Array(data.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i], isNaN = (word & 0x7fffffff) > 0x7f800000;
    // Rounding could turn a NaN into infinity.
    rounded[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return rounded;
}
