import { expect } from "expect";
import { unrollAndJam } from "../../model/backends/simd/codegen/unrollAndJam.ts";

const SOURCE = `
  // #pragma unroll_and_jam(2)
  for (let i: i32 = 0; i < m; i++) {
    const xi = x + i * row;
    let sum: f32 = 0; // of one row
    for (let j = 0; j < row; j += 4) {
      const w = load(weight + j);
      {
        const v = load(xi + j);
        sum += v * w;
      }
      let total = load(totals + j);
      total += load(xi + j);
      store(totals + j, total);
    }
    store(out + i, sum);
  }
  done();
`;

Deno.test("unroll-and-jam repeats the statements of an iteration and shares the others", () => {
  const words = (text: string) => text.replace(/\s+/g, " ").trim();
  expect(words(unrollAndJam(SOURCE))).toBe(words(`
    {
      let i: i32 = 0;
      for (; i + 2 <= m; i += 2) {
        const i_0 = i + 0;
        const i_1 = i + 1;
        const xi_0 = x + i_0 * row;
        const xi_1 = x + i_1 * row;
        let sum_0: f32 = 0;
        let sum_1: f32 = 0;
        for (let j = 0; j < row; j += 4) {
          const w = load(weight + j);
          { const v = load(xi_0 + j); sum_0 += v * w; }
          { const v = load(xi_1 + j); sum_1 += v * w; }
          let total = load(totals + j);
          total += load(xi_0 + j);
          total += load(xi_1 + j);
          store(totals + j, total);
        }
        store(out + i_0, sum_0);
        store(out + i_1, sum_1);
      }
      for (; i < m; i++) {
        const xi = x + i * row;
        let sum: f32 = 0; // of one row
        for (let j = 0; j < row; j += 4) {
          const w = load(weight + j);
          {
            const v = load(xi + j);
            sum += v * w;
          }
          let total = load(totals + j);
          total += load(xi + j);
          store(totals + j, total);
        }
        store(out + i, sum);
      }
    }
    done();
  `));
});

Deno.test("unroll-and-jam leaves other loops unchanged", () => {
  const source = "for (let i: i32 = 0; i < m; i++) {\n  f(i);\n}\n";
  expect(unrollAndJam(source)).toBe(source);
});
