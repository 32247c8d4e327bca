import { expect } from "expect";
import { fromFloat32, OverflowError } from "../../../data/safetensors/fromFloat32.ts";

/** The value of bits in a format of `exponent` and `mantissa` bits, by the definition of IEEE 754. */
function decode(bits: number, exponent: number, mantissa: number): number {
  const sign = bits >> (exponent + mantissa) ? -1 : 1, bias = 2 ** (exponent - 1) - 1;
  const e = (bits >> mantissa) & (2 ** exponent - 1), m = bits & (2 ** mantissa - 1);
  if (e === 2 ** exponent - 1) return m === 0 ? sign * Infinity : NaN;
  if (e === 0) return sign * m * 2 ** (1 - bias - mantissa);
  return sign * (1 + m / 2 ** mantissa) * 2 ** (e - bias);
}

const TYPES = [["F16", 5, 10], ["BF16", 8, 7]] as const;

for (const [dtype, exponent, mantissa] of TYPES) {
  const round = (
    ...values: number[]
  ) => [...fromFloat32("w", Float32Array.from(values), dtype) as Uint16Array];
  const largest = (2 ** exponent - 1) * 2 ** mantissa - 1;

  Deno.test(`every finite ${dtype} number stays itself, and its midpoints are rounded to even`, () => {
    for (let bits = 0; bits < largest; bits++) {
      const value = decode(bits, exponent, mantissa), next = decode(bits + 1, exponent, mantissa);
      const even = bits % 2 === 0 ? bits : bits + 1, middle = (value + next) / 2;
      const rounded = round(value, -value, middle, -middle);
      if (String(rounded) !== String([bits, bits | 0x8000, even, even | 0x8000])) {
        expect({ value, middle, rounded }).toEqual({
          value,
          middle,
          rounded: [bits, bits | 0x8000, even, even | 0x8000],
        });
      }
    }
  });

  Deno.test(`values beside a midpoint of ${dtype} are rounded to the nearer number`, () => {
    for (const bits of [0, 1, 2 ** mantissa - 1, 2 ** mantissa, 0x3c01, largest - 1]) {
      const value = decode(bits, exponent, mantissa), next = decode(bits + 1, exponent, mantissa);
      const middle = (value + next) / 2, step = Math.max(middle * 2 ** -23, 2 ** -149);
      expect(round(middle - step, middle + step)).toEqual([bits, bits + 1]);
    }
  });

  Deno.test(`a finite value beyond ${dtype} is an error that names the tensor, infinities and NaN are kept`, () => {
    const max = decode(largest, exponent, mantissa), step = max - decode(largest - 1, exponent, mantissa);
    const tooLarge = Math.fround(max + step / 2), below = Math.fround(tooLarge * (1 - 2 ** -23));
    expect(round(max, -max, below)).toEqual([largest, largest | 0x8000, largest]);
    for (const value of [tooLarge, -tooLarge]) {
      expect(() => fromFloat32("encoder.norm.weight", Float32Array.of(0, value), dtype)).toThrow(
        OverflowError,
      );
      expect(() => round(value)).toThrow(
        `the tensor 'w' has the value ${value}, which is too large for ${dtype}`,
      );
    }
    expect(round(Infinity, -Infinity)).toEqual([largest + 1, (largest + 1) | 0x8000]);
    // A NaN whose upper bits are zero.
    const nan = new Float32Array(Uint32Array.of(0x7f800001, 0xffffffff).buffer);
    for (const bits of fromFloat32("w", nan, dtype) as Uint16Array) {
      expect(decode(bits, exponent, mantissa)).toBeNaN();
    }
  });
}

Deno.test("float32 values are returned as they are", () => {
  const data = Float32Array.of(1, 3e38, 1e-45);
  expect(fromFloat32("w", data, "F32")).toBe(data);
});
