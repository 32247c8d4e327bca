import { expect } from "expect";
import { normal, permutation, philox4x32, randomUint32, uniform } from "../../model/random.ts";

const hex = (words: Uint32Array) => [...words].map((word) => word.toString(16).padStart(8, "0"));

Deno.test("philox4x32 equals the test vectors of Random123", () => {
  const out = new Uint32Array(4);
  philox4x32([0, 0, 0, 0], [0, 0], out);
  expect(hex(out)).toEqual(["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]);
  philox4x32([0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], out);
  expect(hex(out)).toEqual(["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]);
  philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], out);
  expect(hex(out)).toEqual(["d16cfe09", "94fdcceb", "5001e420", "24126ea1"]);
});

Deno.test("a draw depends on its key alone", () => {
  const key = { seed: 2 ** 40 + 3, purpose: "mask", epoch: 2, step: 7 };
  const first = randomUint32(key, 10);
  randomUint32({ ...key, step: 8 }, 100);
  expect(randomUint32(key, 10)).toEqual(first);
  expect(randomUint32(key, 5)).toEqual(first.slice(0, 5));
  for (const other of [{ seed: 3 }, { purpose: "shuffle" }, { epoch: 3 }, { step: 8 }]) {
    expect(randomUint32({ ...key, ...other }, 10)).not.toEqual(first);
  }
});

Deno.test("uniform and normal numbers have the expected moments", () => {
  const count = 100_000;
  const u = uniform({ seed: 1, purpose: "u" }, count);
  expect(u.every((value) => value >= 0 && value < 1)).toBe(true);
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(Math.abs(mean(u) - 0.5)).toBeLessThan(0.005);
  const n = normal({ seed: 1, purpose: "n" }, count);
  expect(Math.abs(mean(n))).toBeLessThan(0.015);
  expect(Math.abs(mean(n.map((value) => value * value)) - 1)).toBeLessThan(0.03);
  expect(normal({ seed: 1, purpose: "n" }, 3)).toEqual(n.slice(0, 3));
});

Deno.test("a permutation contains every index once, and invalid seeds are refused", () => {
  const order = permutation({ seed: 5, purpose: "shuffle" }, 1000);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  expect(order).not.toEqual(permutation({ seed: 6, purpose: "shuffle" }, 1000));
  for (const seed of [-1, 0.5, 2 ** 53, NaN]) {
    expect(() => permutation({ seed, purpose: "x" }, 3)).toThrow(/seed/);
  }
});
