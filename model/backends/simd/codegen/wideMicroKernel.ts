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

/** A line for each sum of a tile: `vectors` vectors in each row. */
const sums = (rows: number, vectors: number, line: (r: number, v: number) => string) =>
  range(rows).flatMap((r) => range(vectors).map((v) => line(r, v)));

/** A step of the sums: a row of B times a value of each row of A. */
const step = (rows: number, vectors: number, a: (r: number) => string, advance: string) =>
  lines(
    "{",
    range(vectors).map((v) => `const b${v} = v128.load(bp, ${16 * v});`),
    range(rows).flatMap((r) => [
      `const v${r} = v128.load32_splat(${a(r)});`,
      ...range(vectors).map((v) => `s${r}_${v} = fma(v${r}, b${v}, s${r}_${v});`),
    ]),
    "bp += ldb;",
    advance,
    "}",
  );

/**
 * The loop over the panels of k: each computes partial sums in registers. The first one adds the bias, the others what C
 * has, and the last one the addend.
 */
const allPanels = (rows: number, vectors: number, steps: string, ends: string[]) =>
  lines(
    "let bp = b, rest = k, before = cIn;",
    "while (rest > 0) {",
    "let p = panelDepth(rest);",
    "rest -= p;",
    sums(rows, vectors, (r, v) => `let s${r}_${v} = f32x4.splat(0);`),
    steps,
    ends,
    store(rows, vectors),
    "before = c;",
    "}",
  );

/** Adds a tile in memory to the sums if a condition is true. */
const addTile = (rows: number, vectors: number, condition: string, tile: string) =>
  lines(
    `if (${condition}) {`,
    sums(
      rows,
      vectors,
      (r, v) => `s${r}_${v} = f32x4.add(s${r}_${v}, v128.load(${tile} + c${r}, ${16 * v}));`,
    ),
    "}",
  );

/** The loop over the steps of a panel. @param oneStep code of a step; `index` is its number in the iteration */
const allSteps = (oneStep: (index: number) => string, advance: (steps: number) => string) =>
  lines(
    `for (; p >= ${UNROLL}; p -= ${UNROLL}) {`,
    range(UNROLL).map(oneStep),
    advance(UNROLL),
    "}",
    "for (; p > 0; p--) {",
    oneStep(0),
    advance(1),
    "}",
  );

/** Offsets of the rows of C. Where a tile has fewer rows, the last one is computed and stored several times. */
const rowOffsets = (rows: number) =>
  lines(
    range(rows).map((r) => `const row${r}: usize = ${r === 0 ? 0 : `<usize>min(${r}, m - 1)`};`),
    range(rows).map((r) => `const c${r} = row${r} * ldc;`),
  );

/** Stores a tile. The last row is stored last: what a tile has beyond it is not part of the product. */
const store = (rows: number, vectors: number) =>
  range(rows).toReversed().flatMap((r) => [
    "{",
    `const address = c + c${r};`,
    ...range(vectors).map((v) => `v128.store(address, s${r}_${v}, ${16 * v});`),
    "}",
  ]);

/** A micro-kernel that computes the tiles of C one below the other. */
const rowKernel = (rows: number, vectors: number) =>
  lines(
    `export function wideKernel${rows}x${
      4 * vectors
    }(m: i32, k: i32, a: usize, lda: usize, b: usize, ldb: usize,`,
    "c: usize, ldc: usize, bias: usize, cIn: usize, addend: usize): void {",
    `for (; m > 0; m -= ${rows}) {`,
    rowOffsets(rows),
    range(rows).map((r) => `let a${r} = a + row${r} * lda;`),
    "let first = bias;",
    allPanels(
      rows,
      vectors,
      allSteps(
        (index) => step(rows, vectors, (r) => `a${r}, ${4 * index}`, ""),
        (steps) => lines(range(rows).map((r) => `a${r} += ${4 * steps};`)),
      ),
      [
        "if (first) {",
        ...range(vectors).map((v) => `const i${v} = v128.load(bias, ${16 * v});`),
        ...sums(rows, vectors, (r, v) => `s${r}_${v} = f32x4.add(s${r}_${v}, i${v});`),
        "first = 0;",
        "}",
        addTile(rows, vectors, "before", "before"),
        addTile(rows, vectors, "addend && !rest", "addend"),
      ],
    ),
    `if (cIn) cIn += ${rows} * ldc;`,
    `if (addend) addend += ${rows} * ldc;`,
    `c += ${rows} * ldc;`,
    `a += ${rows} * lda;`,
    "}",
    "}",
  );

/** A micro-kernel that computes tiles of C side by side, so that the caches can prefetch the rows of C. */
const transAKernel = (rows: number, vectors: number) =>
  lines(
    `export function wideKernelTransA${rows}x${
      4 * vectors
    }(m: i32, panels: i32, k: i32, a: usize, lda: usize,`,
    "b: usize, ldb: usize, panelStride: usize, c: usize, ldc: usize, cIn: usize): void {",
    rowOffsets(rows),
    "for (; panels > 0; panels--) {",
    "let a0 = a;",
    allPanels(
      rows,
      vectors,
      allSteps(() => step(rows, vectors, (r) => `a0, ${4 * r}`, "a0 += lda;"), () => ""),
      [addTile(rows, vectors, "before", "before")],
    ),
    `if (cIn) cIn += ${16 * vectors};`,
    `c += ${16 * vectors};`,
    "b += panelStride;",
    "}",
    "}",
  );

/** Returns the AssemblyScript source of `assembly/wideMicroKernel.ts`. */
export function wideMicroKernelSource(): string {
  return lines(
    'import { fma, panelDepth } from "./inline";',
    [rowKernel, transAKernel].flatMap((kernel) =>
      [WIDE_MR, 4].flatMap((rows) => [WIDE_NR / 4, WIDE_NR / 8].map((vectors) => kernel(rows, vectors)))
    ),
  );
}
