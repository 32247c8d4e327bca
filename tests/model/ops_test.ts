import { expect } from "expect";
import { EMBEDDED_BACKENDS } from "../../model/backends/backend.ts";
import { findTensorflow } from "../setup/tensorflow.ts";
import { factorsOf, testOperations } from "./operations.ts";
import { testNotFinite, testSizes } from "./sizes.ts";

for (const backend of EMBEDDED_BACKENDS) testOperations(backend);
const native = await findTensorflow();
if (native) testOperations("tensorflow", native);
testSizes("simd");
testNotFinite("simd");

Deno.test("dropout preserves the mean, and its factors depend on the key alone", () => {
  const factors = factorsOf("site", [100, 100]);
  expect(new Set(factors.map((value) => Math.fround(value)))).toEqual(new Set([0, Math.fround(1 / 0.6)]));
  expect(Math.abs(factors.reduce((total, factor) => total + factor) / 10_000 - 1)).toBeLessThan(0.05);
  expect(factorsOf("site", [100, 100])).toEqual(factors);
  expect(factorsOf("other", [100, 100])).not.toEqual(factors);
});
