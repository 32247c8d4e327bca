/**
 * The data types of tensors in safetensors files.
 *
 * @module
 */

/** The array type of each data type. F16, BF16 and F8 are stored as their bits, BOOL as 0 and 1. */
export type TensorData = {
  readonly BOOL: Uint8Array;
  readonly U8: Uint8Array;
  readonly I8: Int8Array;
  readonly F8_E5M2: Uint8Array;
  readonly F8_E4M3: Uint8Array;
  readonly I16: Int16Array;
  readonly U16: Uint16Array;
  readonly F16: Uint16Array;
  readonly BF16: Uint16Array;
  readonly I32: Int32Array;
  readonly U32: Uint32Array;
  readonly F32: Float32Array;
  readonly F64: Float64Array;
  readonly I64: BigInt64Array;
  readonly U64: BigUint64Array;
};

/** Name of a data type. */
export type Dtype = keyof TensorData;

/** All data types in the order of the official library, smallest alignment first. */
export const DTYPES: readonly Dtype[] = [
  "BOOL",
  "U8",
  "I8",
  "F8_E5M2",
  "F8_E4M3",
  "I16",
  "U16",
  "F16",
  "BF16",
  "I32",
  "U32",
  "F32",
  "F64",
  "I64",
  "U64",
];

/** The array constructor of each data type. */
export const ARRAYS = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  F8_E5M2: Uint8Array,
  F8_E4M3: Uint8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
} as const;

/** A tensor with its values in row-major order. */
export type Tensor = {
  [D in Dtype]: { readonly dtype: D; readonly shape: readonly number[]; readonly data: TensorData[D] };
}[Dtype];

/** Returns the index of the first value that is NaN or infinite, or -1. */
export function findNonFinite(tensor: Tensor): number {
  switch (tensor.dtype) {
    case "F32":
    case "F64":
      return (tensor.data as Float32Array | Float64Array).findIndex((value) => !Number.isFinite(value));
    case "F16":
      return tensor.data.findIndex((bits) => (bits & 0x7c00) === 0x7c00);
    case "BF16":
      return tensor.data.findIndex((bits) => (bits & 0x7f80) === 0x7f80);
    case "F8_E5M2":
      return tensor.data.findIndex((bits) => (bits & 0x7c) === 0x7c);
    case "F8_E4M3":
      return tensor.data.findIndex((bits) => (bits & 0x7f) === 0x7f);
    default:
      return -1;
  }
}
