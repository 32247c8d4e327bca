/**
 * Generates `assembly/compactKernel.ts`: the micro-kernels of products in the compact layout. It interleaves 8 matrices of
 * equal shape: an element is a vector of 8 lanes, one for each matrix (Kim et al., "Designing Vector-Friendly Compact BLAS
 * and LAPACK Kernels", SC 2017). All lanes compute alike, so a product needs no broadcasts and no padding.
 *
 * The wide build computes the two halves of an element as a pair. In the narrow build the sums of a tile would not fit
 * in the registers, so it computes one half after the other. Each lane has the same sums in both.
 *
 * @module
 */
import { COMPACT_ROWS } from "../assembly/blockSizes.ts";
import type { VectorBits } from "../vectorFlags.ts";
import { lines, range } from "./text.ts";

/** Bytes of an element. */
const ELEMENT = 32;

/** A micro-kernel for tiles of `rows` x `columns`. */
interface Tile {
  readonly rows: number;
  readonly columns: number;
  /** Offsets of the vectors of an element that are computed together. */
  readonly halves: readonly number[];
}

/** A line for each sum of a tile. */
const sums = ({ rows, columns, halves }: Tile, line: (r: number, c: number, half: number) => string) =>
  range(columns).flatMap((c) => range(rows).flatMap((r) => halves.map((half) => line(r, c, half))));

const sum = (r: number, c: number, half: number) => `s${r}_${c}_${half}`;

/** A step: each sum increases by the product of an element of A and one of B. */
const step = (tile: Tile, a: (r: number, half: number) => string, b: (c: number, half: number) => string) =>
  lines(
    "{",
    range(tile.columns).flatMap((c) => tile.halves.map((half) => `const b${c}_${half} = ${b(c, half)};`)),
    range(tile.rows).flatMap((r) => [
      ...tile.halves.map((half) => `const a${r}_${half} = ${a(r, half)};`),
      ...range(tile.columns).flatMap((c) =>
        tile.halves.map((half) =>
          `${sum(r, c, half)} = fma(a${r}_${half}, b${c}_${half}, ${sum(r, c, half)});`
        )
      ),
    ]),
    "}",
  );

/** Computes tiles from left to right. `b` and `c` are the addresses of a tile. */
const tiles = ({ columns }: Tile, advance: string, body: string) =>
  columns === 1 ? body : lines(`for (; n >= ${columns}; n -= ${columns}) {`, body, advance, "}");

/** The micro-kernel of `panelProduct`: n / 2 tiles of two columns, or one tile of one column. */
function panelKernel(tile: Tile): string {
  const { rows, columns } = tile;
  const offset = (r: number, c: number, half: number) => ELEMENT * (c * rows + r) + half;
  const steps = (index: number) =>
    step(
      tile,
      (r, half) => `v128.load(ap, ${ELEMENT * (index * rows + r) + half})`,
      (c, half) => `v128.load(bp, ${ELEMENT * (index * columns + c) + half})`,
    );
  const body = lines(
    sums(tile, (r, c, half) => `let ${sum(r, c, half)} = f32x4.splat(0);`),
    "let ap = a, bp = b, steps = k;",
    "for (; steps >= 2; steps -= 2) {",
    steps(0),
    steps(1),
    `ap += ${2 * ELEMENT * rows}; bp += ${2 * ELEMENT * columns};`,
    "}",
    "if (steps) {",
    steps(0),
    "}",
    "if (!overwrite) {",
    sums(
      tile,
      (r, c, half) =>
        `${sum(r, c, half)} = f32x4.add(${sum(r, c, half)}, v128.load(c, ${offset(r, c, half)}));`,
    ),
    "}",
    sums(tile, (r, c, half) => `v128.store(c, ${sum(r, c, half)}, ${offset(r, c, half)});`),
  );
  return lines(
    `function panel${rows}x${columns}(n: i32, k: i32, a: usize, b: usize, ldb: usize, c: usize, overwrite: bool): void {`,
    tiles(tile, `b += ldb; c += ${ELEMENT * columns * rows};`, body),
    "}",
  );
}

/** A micro-kernel of `outerProduct`: n / 2 tiles of two columns, or one tile of one column. */
function outerFunction(tile: Tile, suffix: string, start: string, body: string, advanceB: string): string {
  const { rows, columns } = tile, c = range(rows).map((r) => `c${r}`);
  const advance = lines(advanceB, c.map((name) => `${name} += ${ELEMENT * columns};`));
  return lines(
    `function outer${rows}x${columns}${suffix}(n: i32, k: i32, a: usize, b: usize, c: usize, ldc: usize): void {`,
    start,
    c.map((name, r) => `let ${name} = c + ${r} * ldc;`),
    tiles(tile, advance, body),
    "}",
  );
}

/** Adds the sums of a tile to C, stored by rows. */
const addToRows = (tile: Tile) =>
  lines(
    sums(tile, (r, c, half) => {
      const offset = ELEMENT * c + half;
      return `${sum(r, c, half)} = f32x4.add(${sum(r, c, half)}, v128.load(c${r}, ${offset}));`;
    }),
    sums(tile, (r, c, half) => `v128.store(c${r}, ${sum(r, c, half)}, ${ELEMENT * c + half});`),
  );

/** The micro-kernel of `outerProduct` for any k. */
function outerKernel(tile: Tile): string {
  const { rows, columns } = tile;
  const body = lines(
    sums(tile, (r, c, half) => `let ${sum(r, c, half)} = f32x4.splat(0);`),
    range(rows).map((r) => `let a${r} = a + ${r} * ld;`),
    range(columns).map((c) => `let b${c} = b + ${c} * ld;`),
    "for (let i = k; i > 0; i--) {",
    step(tile, (r, half) => `v128.load(a${r}, ${half})`, (c, half) => `v128.load(b${c}, ${half})`),
    range(rows).map((r) => `a${r} += ${ELEMENT};`),
    range(columns).map((c) => `b${c} += ${ELEMENT};`),
    "}",
    addToRows(tile),
  );
  return outerFunction(tile, "", lines(`const ld = <usize>k * ${ELEMENT};`), body, `b += ld * ${columns};`);
}

/** The micro-kernel of `outerProduct` for one k: without pointers that change in each step. */
function unrolledOuterKernel(tile: Tile, k: number): string {
  const { columns } = tile;
  const body = lines(
    sums(tile, (r, c, half) => `let ${sum(r, c, half)} = f32x4.splat(0);`),
    range(k).map((i) =>
      step(
        tile,
        (r, half) => `v128.load(a, ${ELEMENT * (r * k + i) + half})`,
        (c, half) => `v128.load(b, ${ELEMENT * (c * k + i) + half})`,
      )
    ),
    addToRows(tile),
  );
  return outerFunction(tile, `k${k}`, "", body, `b += ${ELEMENT * columns * k};`);
}

/** A call for both halves of the elements: together, or one after the other. */
const calls = (name: string, halves: readonly number[], args: (half: string) => string) =>
  halves.length === 2 ? `${name}(${args("")});` : `${name}(${args("")}); ${name}(${args(" + 16")});`;

/** Returns the AssemblyScript source of `assembly/compactKernel.ts`. */
export function compactKernelSource(vectorBits: VectorBits): string {
  const halves = vectorBits === 256 ? [0, 16] : [0];
  const sizes = range(COMPACT_ROWS).map((r) => r + 1),
    full = [COMPACT_ROWS - 2, COMPACT_ROWS - 1, COMPACT_ROWS];
  const tile = (rows: number, columns: number): Tile => ({ rows, columns, halves });
  const columnsLoop = (body: (columns: number, rest: string) => string) =>
    lines(`if (n > 1) {`, body(2, ""), "}", "if (n & 1) {", body(1, "Rest"), "}");
  const panelArgs = (rest: string) => (half: string) =>
    `n, k, a${half}, b${rest}${half}, ldb, c${rest}${half}, overwrite`;
  const outerArgs = (rest: string) => (half: string) =>
    `n, k, a${half}, b${rest}${half}, c${rest}${half}, ldc`;
  return lines(
    'import { fma } from "./inline";',
    sizes.flatMap((r) => [panelKernel(tile(r, 1)), panelKernel(tile(r, 2))]),
    sizes.flatMap((r) => [outerKernel(tile(r, 1)), outerKernel(tile(r, 2))]),
    full.flatMap((r) => full.map((k) => unrolledOuterKernel(tile(r, 2), k))),
    "export function panelProduct(rows: i32, n: i32, k: i32, a: usize, b: usize, bRest: usize, ldb: usize, c: usize, overwrite: bool): void {",
    `const cRest = c + <usize>((n & -2) * rows) * ${ELEMENT};`,
    columnsLoop((columns, rest) =>
      lines(
        "switch (rows) {",
        sizes.map((r) => `case ${r}: { ${calls(`panel${r}x${columns}`, halves, panelArgs(rest))} break; }`),
        "}",
      )
    ),
    "}",
    "export function outerProduct(rows: i32, n: i32, k: i32, a: usize, b: usize, c: usize, ldc: usize): void {",
    `const bRest = b + <usize>((n & -2) * k) * ${ELEMENT}, cRest = c + <usize>(n & -2) * ${ELEMENT};`,
    full.flatMap((r) =>
      full.map((k) =>
        `if (rows == ${r} && k == ${k} && !(n & 1)) { ${
          calls(`outer${r}x2k${k}`, halves, outerArgs(""))
        } return; }`
      )
    ),
    columnsLoop((columns, rest) =>
      lines(
        "switch (rows) {",
        sizes.map((r) => `case ${r}: { ${calls(`outer${r}x${columns}`, halves, outerArgs(rest))} break; }`),
        "}",
      )
    ),
    "}",
  );
}
