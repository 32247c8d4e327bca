import { expect } from "expect";
import { hoistConstants } from "../../model/backends/simd/codegen/hoistConstants.ts";

Deno.test("constants are declared by the pragma, and passed as arguments", () => {
  const source = `
    function kernel(x: usize): void {
      // #pragma constants(CDF)
      store(x, normalCdf(load(x), ...CDF));
    }
    function normalCdf(x: v128, ...CDF: v128[]): v128 {}
  `;
  const expanded = hoistConstants(source);
  const names = [...expanded.matchAll(/const (\w+) = f32x4\.splat\(.+\);/g)].map(([, name]) => name);
  expect(names).toContain("ERF_P");
  expect(expanded).toContain(`normalCdf(load(x), ${names.join(", ")})`);
  expect(expanded).toContain(`(x: v128, ${names.map((name) => `${name}: v128`).join(", ")})`);
  expect(expanded).not.toContain("CDF:");
});

Deno.test("an unknown set of constants is an error", () => {
  expect(() => hoistConstants("exp2(x, ...EXP3)")).toThrow("There are no constants EXP3");
});
