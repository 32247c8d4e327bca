/**
 * Generates `assembly/wideMicroKernel.ts`: the micro-kernels of the 256-bit build. Their sums are adjacent pairs of
 * vectors, from the loads of B to the stores of C, because V8 fuses pairs of 128-bit operations only along such a chain.
 *
 * @module
 */
import { WIDE_MR, WIDE_NR } from "../assembly/blockSizes.ts";
import { lines, range } from "./text.ts";

/** Steps of the sum in an iteration of the loop. */
const UNROLL = 4;

/** How a micro-kernel reads A: by the rows of the tile, or by its columns as in Aᵀ. */
type LayoutOfA = "rows" | "columns";

/** A line for each sum of a tile: `vectors` vectors in each row. */
const sums = (rows: number, vectors: number, line: (r: number, v: number) => string) =>
  range(rows).flatMap((r) => range(vectors).map((v) => line(r, v)));

/** `count` steps of the sums: a row of B times a value of each row of A. */
const steps = (count: number, rows: number, vectors: number, layout: LayoutOfA) =>
  lines(
    range(count).flatMap((step) => [
      "{",
      ...range(vectors).map((v) => `const b${v} = v128.load(bp, ${16 * v});`),
      ...range(rows).flatMap((r) => [
        layout === "rows"
          ? `const v${r} = v128.load32_splat(a${r}, ${4 * step});`
          : `const v${r} = v128.load32_splat(a0, ${4 * r});`,
        ...range(vectors).map((v) => `s${r}_${v} = fma(v${r}, b${v}, s${r}_${v});`),
      ]),
      "bp += ldb;",
      layout === "columns" ? "a0 += lda;" : "",
      "}",
    ]),
    layout === "rows" ? range(rows).map((r) => `a${r} += ${4 * count};`) : [],
  );

/** A micro-kernel for `m` rows of C. Where the last tile has fewer rows, its last row is stored several times. */
const kernel = (rows: number, vectors: number, layout: LayoutOfA) => {
  const isTransposed = layout === "columns";
  return lines(
    `export function wideKernel${isTransposed ? "TransA" : ""}${rows}x${4 * vectors}(`,
    `m: i32, k: i32, a: usize, lda: usize, ${
      isTransposed ? "panelStride: usize, " : ""
    }b: usize, ldb: usize,`,
    `c: usize, ldc: usize${isTransposed ? "" : ", bias: usize"}, cIn: usize): void {`,
    `for (; m > 0; m -= ${rows}) {`,
    range(rows).map((r) => `const row${r} = ${r === 0 ? 0 : `<usize>min(${r}, m - 1)`};`),
    range(rows).map((r) => `const c${r} = row${r} * ldc;`),
    range(vectors).map((v) => `let i${v} = f32x4.splat(0);`),
    isTransposed
      ? []
      : ["if (bias) {", ...range(vectors).map((v) => `i${v} = v128.load(bias, ${16 * v});`), "}"],
    sums(rows, vectors, (r, v) => `let s${r}_${v} = i${v};`),
    "if (cIn) {",
    sums(rows, vectors, (r, v) => {
      const loaded = `v128.load(cIn + c${r}, ${16 * v})`;
      return `s${r}_${v} = ${isTransposed ? loaded : `f32x4.add(s${r}_${v}, ${loaded})`};`;
    }),
    `cIn += ${rows} * ldc;`,
    "}",
    isTransposed ? "let a0 = a;" : range(rows).map((r) => `let a${r} = a + row${r} * lda;`),
    "let bp = b, p = k;",
    `for (; p >= ${UNROLL}; p -= ${UNROLL}) {`,
    steps(UNROLL, rows, vectors, layout),
    "}",
    "for (; p > 0; p--) {",
    steps(1, rows, vectors, layout),
    "}",
    // The last row is stored last: the values of the rows beyond it are not of the product.
    range(rows).toReversed().flatMap((r) => [
      "{",
      `const address = c + c${r};`,
      ...range(vectors).map((v) => `v128.store(address, s${r}_${v}, ${16 * v});`),
      "}",
    ]),
    `c += ${rows} * ldc;`,
    `a += ${isTransposed ? "panelStride" : `${rows} * lda`};`,
    "}",
    "}",
  );
};

/** Returns the AssemblyScript source of `assembly/wideMicroKernel.ts`. */
export function wideMicroKernelSource(): string {
  return lines(
    'import { fma } from "./inline";',
    (["rows", "columns"] as const).flatMap((layout) =>
      [WIDE_MR, 4].flatMap((rows) =>
        [WIDE_NR / 4, WIDE_NR / 8].map((vectors) => kernel(rows, vectors, layout))
      )
    ),
  );
}
