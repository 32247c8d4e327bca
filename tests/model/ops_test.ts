import { expect } from "expect";
import { availableBackends } from "../setup/backends.ts";
import { factorsOf, testOperations } from "./operations.ts";
import { testNotFinite, testSizes } from "./sizes.ts";

for (const { name, options } of await availableBackends()) testOperations(name, options);
for (const vectorBits of [128, 256] as const) {
  testSizes("simd", { vectorBits });
  testNotFinite("simd", { vectorBits });
}

Deno.test("dropout preserves the mean, and its factors depend on the key alone", () => {
  const factors = factorsOf("site", [100, 100]);
  expect(new Set(factors.map((value) => Math.fround(value)))).toEqual(new Set([0, Math.fround(1 / 0.6)]));
  expect(Math.abs(factors.reduce((total, factor) => total + factor) / 10_000 - 1)).toBeLessThan(0.05);
  expect(factorsOf("site", [100, 100])).toEqual(factors);
  expect(factorsOf("other", [100, 100])).not.toEqual(factors);
});
