/**
 * Generates `assembly/microKernel.ts`: packing of B, and the micro-kernels of the matrix products. Their sums stay in
 * registers, so every tile size is written out.
 *
 * A micro-panel of B has KC steps of two vectors, each in a global. It is divided into iterations of K_UNROLL steps
 * and the steps that are left. A `switch` jumps to the first iteration and falls through to the last one,
 * because an instruction names its global and cannot index it.
 *
 * @module
 */
import { K_UNROLL, KC, MR } from "../assembly/blockSizes.ts";
import { lines, range } from "./text.ts";

/** Iterations of a full micro-panel. */
const ITERATIONS = KC / K_UNROLL;

/** The global for half a row of B: a step in the iteration with `remaining` iterations to go. */
const packed = (remaining: number, step: number, half: number) => `b${remaining}_${step}_${half}`;
/** The global for half a row of B: a step after the last whole iteration. */
const packedLeft = (step: number, half: number) => `left${step}_${half}`;

const declareGlobal = (name: string) => `let ${name}: v128 = f32x4.splat(0);`;

const GLOBALS = lines(
  range(ITERATIONS).flatMap((i) =>
    range(K_UNROLL).flatMap((step) => range(2).map((half) => declareGlobal(packed(i + 1, step, half))))
  ),
  range(K_UNROLL - 1).flatMap((step) => range(2).map((half) => declareGlobal(packedLeft(step, half)))),
);

/** A `switch` that runs `body(value)`, `body(value - 1)` … `body(1)`. */
const countdown = (value: string, max: number, body: (remaining: number) => string) =>
  lines(`switch (${value}) {`, range(max).map((i) => `case ${max - i}: {\n${body(max - i)}\n}`), "}");

/** Transposes the vectors l0 … l3 into the named ones. */
const transpose4x4 = (name: (row: number) => string) => [
  "const t0 = v128.shuffle<f32>(l0, l1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(l2, l3, 0, 4, 1, 5);",
  "const t2 = v128.shuffle<f32>(l0, l1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(l2, l3, 2, 6, 3, 7);",
  `${name(0)} = v128.shuffle<f32>(t0, t1, 0, 1, 4, 5);`,
  `${name(1)} = v128.shuffle<f32>(t0, t1, 2, 3, 6, 7);`,
  `${name(2)} = v128.shuffle<f32>(t2, t3, 0, 1, 4, 5);`,
  `${name(3)} = v128.shuffle<f32>(t2, t3, 2, 3, 6, 7);`,
];

const PACK_B = lines(
  "/** Packs 8 columns of B with row stride ldb. Up to 28 bytes after the last row are read. */",
  "export function packB(kIter: i32, kLeft: i32, b: usize, ldb: usize): void {",
  countdown(
    "kIter",
    ITERATIONS,
    (i) =>
      lines(
        range(K_UNROLL).map((step) =>
          `${packed(i, step, 0)} = v128.load(b); ${packed(i, step, 1)} = v128.load(b, 16); b += ldb;`
        ),
      ),
  ),
  "b += ldb * <usize>(kLeft - 1);",
  countdown(
    "kLeft",
    K_UNROLL - 1,
    (left) =>
      `${packedLeft(left - 1, 0)} = v128.load(b); ${packedLeft(left - 1, 1)} = v128.load(b, 16); b -= ldb;`,
  ),
  "}",
  "/** Packs 8 columns of B that are contiguous, with column stride csB. Those from `width` on repeat the last one. */",
  "export function packBTransposed(kIter: i32, kLeft: i32, width: i32, b: usize, csB: usize): void {",
  "const last = b + <usize>(width - 1) * csB;",
  "let b0 = b;",
  range(7).map((i) => `let b${i + 1} = min(b${i} + csB, last);`),
  countdown("kIter", ITERATIONS, (i) =>
    lines(
      range(2).flatMap((half) =>
        range(2).flatMap((quad) =>
          [
            "{",
            range(4).map((l) => `const l${l} = v128.load(b${4 * half + l}, ${16 * quad});`),
            transpose4x4((step) => packed(i, 4 * quad + step, half)),
            "}",
          ].flat()
        )
      ),
      range(8).map((column) => `b${column} += 32;`),
    )),
  countdown("kLeft", K_UNROLL - 1, (left) =>
    lines(
      range(2).map((half) => {
        const value = (lane: number) => `f32.load(b${4 * half + lane}, ${4 * (left - 1)})`;
        const vector = [1, 2, 3].reduce(
          (vector, lane) => `f32x4.replace_lane(${vector}, ${lane}, ${value(lane)})`,
          `f32x4.splat(${value(0)})`,
        );
        return `${packedLeft(left - 1, half)} = ${vector};`;
      }),
    )),
  "}",
);

/** A line for each sum of a tile: rows of two vectors. */
const sums = (rows: number, line: (r: number, half: number) => string) =>
  range(rows).flatMap((r) => range(2).map((half) => line(r, half)));

/** A step: the sums of every row increase by a value of A times a row of B. */
const step = (rows: number, a: (r: number) => string, b: (half: number) => string, advance = "") =>
  lines(
    "{",
    `const b0 = ${b(0)}, b1 = ${b(1)};`,
    range(rows).map((r) =>
      `const v${r} = ${a(r)}; s${r}0 = fma(v${r}, b0, s${r}0); s${r}1 = fma(v${r}, b1, s${r}1);`
    ),
    advance,
    "}",
  );

/** All steps of a micro-panel. @param oneStep code of a step; `index` is its number in the iteration */
const allSteps = (
  oneStep: (b: (half: number) => string, index: number) => string,
  advance: string,
) =>
  lines(
    countdown("kIter", ITERATIONS, (i) =>
      lines(
        range(K_UNROLL).map((index) => oneStep((half) => packed(i, index, half), index)),
        advance,
      )),
    "if (kLeft) {",
    range(K_UNROLL - 1).map((index) =>
      `if (kLeft > ${index}) {\n${oneStep((half) => packedLeft(index, half), index)}\n}`
    ),
    "}",
  );

const PARAMETERS = "kIter: i32, kLeft: i32, a: usize, lda: usize, c: usize, ldc: usize";

/** Adds a tile in memory, if there is one, to the sums. */
const addTile = (rows: number, tile: string) =>
  lines(
    `if (${tile}) {`,
    sums(
      rows,
      (r, half) => `s${r}${half} = f32x4.add(s${r}${half}, v128.load(${tile} + c${r}, ${16 * half}));`,
    ),
    "}",
  );

/** Body of a micro-kernel for A stored by rows. Row r of the tile is row `row${r}` of A, C and cIn. */
const tile = (rows: number) =>
  lines(
    range(rows).map((r) => `let a${r} = a + row${r} * lda; const c${r} = row${r} * ldc;`),
    sums(rows, (r, half) => `let s${r}${half} = f32x4.splat(0);`),
    allSteps(
      (b, index) => step(rows, (r) => `v128.load32_splat(a${r}, ${4 * index})`, b),
      lines(range(rows).map((r) => `a${r} += ${4 * K_UNROLL};`)),
    ),
    "if (bias) {",
    "const i0 = v128.load(bias), i1 = v128.load(bias, 16);",
    sums(rows, (r, half) => `s${r}${half} = f32x4.add(s${r}${half}, i${half});`),
    "}",
    addTile(rows, "cIn"),
    addTile(rows, "addend"),
    sums(rows, (r, half) => `v128.store(c + c${r}, s${r}${half}, ${16 * half});`),
  );

const ROW_KERNELS = lines(
  `/** C[${MR}, 8] = A · packed B (+ bias[8]) (+ cIn[${MR}, 8]) (+ addend[${MR}, 8]). */`,
  `export function microKernel${MR}x8(${PARAMETERS}, bias: usize, cIn: usize, addend: usize): void {`,
  range(MR).map((r) => `const row${r}: usize = ${r};`),
  tile(MR),
  "}",
  "/** The same for 1 to 4 rows. The last row is computed and stored several times. */",
  `export function microKernel4x8(rows: i32, ${PARAMETERS}, bias: usize, cIn: usize, addend: usize): void {`,
  range(4).map((r) => `const row${r} = <usize>min(${r}, rows - 1);`),
  tile(4),
  "}",
);

/** C[rows, 8] = Aᵀ · packed B (+ cIn[rows, 8]), A stored by columns of the tile. */
const transAKernel = (rows: number) =>
  lines(
    `export function microKernelTransA${rows}x8(${PARAMETERS}, cIn: usize): void {`,
    range(rows).map((r) => `const c${r} = <usize>${r} * ldc;`),
    sums(rows, (r, half) => `let s${r}${half} = f32x4.splat(0);`),
    allSteps((b) => step(rows, (r) => `v128.load32_splat(a, ${4 * r})`, b, "a += lda;"), ""),
    addTile(rows, "cIn"),
    sums(rows, (r, half) => `v128.store(c + c${r}, s${r}${half}, ${16 * half});`),
    "}",
  );

/** Returns the AssemblyScript source of `assembly/microKernel.ts`. */
export function microKernelSource(): string {
  return lines(
    'import { fma } from "./inline";',
    GLOBALS,
    PACK_B,
    ROW_KERNELS,
    [MR, 4, 2].map(transAKernel),
  );
}
