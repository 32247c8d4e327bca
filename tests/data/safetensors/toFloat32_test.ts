import { expect } from "expect";
import { SafetensorsError } from "../../../data/safetensors/safetensors.ts";
import { toFloat32 } from "../../../data/safetensors/toFloat32.ts";

Deno.test("every F16 value is converted exactly", () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const values = toFloat32({ dtype: "F16", shape: [65536], data: bits });
  for (
    const [pattern, value] of [[0x3c00, 1], [0xc000, -2], [0x0001, 2 ** -24], [0x7bff, 65504], [
      0x03ff,
      1023 * 2 ** -24,
    ]]
  ) {
    expect(values[pattern]).toBe(value);
  }
  expect([values[0x7c00], values[0xfc00], values[0x7e00]]).toEqual([Infinity, -Infinity, NaN]);
  expect(Object.is(values[0x8000], -0)).toBe(true);
  bits.forEach((_, i) => {
    const exponent = (i >> 10) & 31, fraction = i & 1023, sign = i >> 15 ? -1 : 1;
    if (exponent === 31) return;
    const expected = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    if (values[i] !== sign * expected) throw new Error(`${i}: ${values[i]}`);
  });
});

Deno.test("BF16 has the upper half of float32, and F64 is rounded to nearest", () => {
  const brain = toFloat32({ dtype: "BF16", shape: [3], data: new Uint16Array([0x3f80, 0xc049, 0x0001]) });
  expect([...brain]).toEqual([1, -3.140625, 2 ** -133]);
  const double = toFloat32({
    dtype: "F64",
    shape: [2],
    data: new Float64Array([0.1, 1 + 2 ** -24 + 2 ** -40]),
  });
  expect([...double]).toEqual([Math.fround(0.1), 1 + 2 ** -23]);
});

Deno.test("float32 is not copied, and integers are refused", () => {
  const data = new Float32Array(2);
  expect(toFloat32({ dtype: "F32", shape: [2], data })).toBe(data);
  expect(() => toFloat32({ dtype: "I64", shape: [1], data: new BigInt64Array(1) })).toThrow(SafetensorsError);
});
