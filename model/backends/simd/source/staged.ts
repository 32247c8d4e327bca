/**
 * The inner loops of matrix products, on an operand that is staged in globals: V8 checks every access of a memory
 * against its size, and none of a global. Measured, the checks cost a quarter of a product's speed.
 *
 * @module
 */
import { lines, madd, range } from "./write.ts";

/** Steps of a sum that are staged at once; a last stage has up to 7 more. */
export const STAGE = 64;
/** Steps without a branch between them. */
const GROUP = 8;
const GROUPS = STAGE / GROUP;

/** `switch` that starts at a count and falls through to 1. */
const countdown = (value: string, most: number, body: (count: number) => string) =>
  lines(`switch (${value}) {`, range(most).map((i) => `case ${most - i}: {\n${body(most - i)}\n}`), "}");

/** Name of what a global holds: 4 values of step `step` of the group that is run when `group` groups are left. */
const staged = (group: number, step: number, half: number) => `g${group}_${step}_${half}`;
/** The same of the steps behind whole groups. */
const rest = (step: number, half: number) => `r${step}_${half}`;

const GLOBALS = lines(
  range(GROUPS).flatMap((group) =>
    range(GROUP).flatMap((step) =>
      range(2).map((half) => `let ${staged(group + 1, step, half)}: v128 = f32x4.splat(0);`)
    )
  ),
  range(GROUP - 1).flatMap((step) =>
    range(2).map((half) => `let ${rest(step, half)}: v128 = f32x4.splat(0);`)
  ),
);

/** Four rows of four values, transposed. */
const transposed4 = (names: (step: number) => string) => [
  "const t0 = v128.shuffle<f32>(l0, l1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(l2, l3, 0, 4, 1, 5);",
  "const t2 = v128.shuffle<f32>(l0, l1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(l2, l3, 2, 6, 3, 7);",
  `${names(0)} = v128.shuffle<f32>(t0, t1, 0, 1, 4, 5);`,
  `${names(1)} = v128.shuffle<f32>(t0, t1, 2, 3, 6, 7);`,
  `${names(2)} = v128.shuffle<f32>(t2, t3, 0, 1, 4, 5);`,
  `${names(3)} = v128.shuffle<f32>(t2, t3, 2, 3, 6, 7);`,
];

const STAGING = lines(
  "/** Stages 8 columns of B, rows `row` bytes apart. Up to 28 bytes behind the last row are read. */",
  "function stageRows(groups: i32, left: i32, b: usize, row: usize): void {",
  countdown(
    "groups",
    GROUPS,
    (group) =>
      lines(
        range(GROUP).map((step) =>
          `${staged(group, step, 0)} = v128.load(b); ${staged(group, step, 1)} = v128.load(b, 16); b += row;`
        ),
      ),
  ),
  "b += row * <usize>(left - 1);",
  countdown(
    "left",
    GROUP - 1,
    (left) => `${rest(left - 1, 0)} = v128.load(b); ${rest(left - 1, 1)} = v128.load(b, 16); b -= row;`,
  ),
  "}",
  "/** Stages 8 columns of B that lie in memory as rows, `column` bytes apart; those from `width` on repeat the last. */",
  "function stageColumns(groups: i32, left: i32, width: i32, b: usize, column: usize): void {",
  "const last = b + <usize>(width - 1) * column;",
  "let b0 = b;",
  range(7).map((i) => `let b${i + 1} = min(b${i} + column, last);`),
  countdown("groups", GROUPS, (group) =>
    lines(
      range(2).flatMap((half) =>
        range(2).flatMap((quad) =>
          [
            "{",
            range(4).map((i) => `const l${i} = v128.load(b${4 * half + i}, ${16 * quad});`),
            transposed4((step) => staged(group, 4 * quad + step, half)),
            "}",
          ].flat()
        )
      ),
      range(8).map((i) => `b${i} += 32;`),
    )),
  countdown("left", GROUP - 1, (left) =>
    lines(
      range(2).map((half) => {
        const at = (i: number) => `f32.load(b${4 * half + i}, ${4 * (left - 1)})`;
        const filled = [1, 2, 3].reduce(
          (vector, i) => `f32x4.replace_lane(${vector}, ${i}, ${at(i)})`,
          `f32x4.splat(${at(0)})`,
        );
        return `${rest(left - 1, half)} = ${filled};`;
      }),
    )),
  "}",
);

/** Steps on staged values: whole groups, then those that are left. */
const steps = (step: (held: (half: number) => string, at: number) => string, advance: string) =>
  lines(
    countdown("groups", GROUPS, (group) =>
      lines(
        range(GROUP).map((at) => step((half) => staged(group, at, half), at)),
        advance,
      )),
    "if (left) {",
    range(GROUP - 1).map((at) => `if (left > ${at}) {\n${step((half) => rest(at, half), at)}\n}`),
    "}",
  );

/** Parameters of every tile. */
const PARAMETERS = "groups: i32, left: i32, a: usize, aRow: usize, c: usize, cRow: usize";

/** Rows of a large tile: 12 sums, 2 values of B and one of A are all that 16 registers hold. */
const TALL = 6;

const sums = (rows: number, line: (r: number, half: number) => string) =>
  range(rows).flatMap((r) => range(2).map((half) => line(r, half)));

/** How a step of so many rows is written. */
interface StepText {
  readonly rows: number;
  readonly relaxed: boolean;
  /** The expression for the value of A in a row. */
  a(r: number, at: number): string;
  /** What that value is called, its row behind it. @default "v" */
  readonly name?: string;
  /** What follows in the step. */
  readonly after?: string;
}

/** A step. @param held what holds a half of B's values @param at its number in the group */
const step = ({ rows, relaxed, a, name = "v", after = "" }: StepText) =>
(
  held: (half: number) => string,
  at: number,
) =>
  lines(
    "{",
    `const b0 = ${held(0)}, b1 = ${held(1)};`,
    range(rows).map((r) =>
      lines(
        `const ${name}${r} = ${a(r, at)};`,
        madd(relaxed, `${name}${r}`, "b0", `s${r}0`),
        madd(relaxed, `${name}${r}`, "b1", `s${r}1`),
      )
    ),
    after,
    "}",
  );

/** One tile of a product, its rows of A, C and D at `row0`, `row1` … */
const tile = (rows: number, relaxed: boolean) =>
  lines(
    "let i0 = f32x4.splat(0), i1 = i0;",
    "if (bias) { i0 = v128.load(bias); i1 = v128.load(bias, 16); }",
    range(rows).map((r) => `let a${r} = a + row${r} * aRow; const c${r} = row${r} * cRow;`),
    sums(rows, (r, half) => `let s${r}${half} = i${half};`),
    "if (d) {",
    sums(rows, (r, half) => `s${r}${half} = f32x4.add(s${r}${half}, v128.load(d + c${r}, ${16 * half}));`),
    "}",
    steps(
      step({ rows, relaxed, a: (r, at) => `v128.load32_splat(a${r}, ${4 * at})` }),
      lines(range(rows).map((r) => `a${r} += ${4 * GROUP};`)),
    ),
    sums(rows, (r, half) => `v128.store(c + c${r}, s${r}${half}, ${16 * half});`),
  );

/**
 * `C[m, 8] = A · staged B (+ bias[8]) (+ D[m, 8])`, D's rows at the distance of C's: `tall` has 6 rows, `short` up
 * to 4, those from `count` on repeating the last one, which is then written several times alike.
 */
const rowTiles = (relaxed: boolean) =>
  lines(
    `function tall(${PARAMETERS}, bias: usize, d: usize): void {`,
    range(TALL).map((r) => `const row${r}: usize = ${r};`),
    tile(TALL, relaxed),
    "}",
    `function short(count: i32, ${PARAMETERS}, bias: usize, d: usize): void {`,
    range(4).map((r) => `const row${r} = <usize>min(${r}, count - 1);`),
    tile(4, relaxed),
    "}",
  );

/** `C[rows, 8] = Aᵀ · staged B (+ D[rows, 8])`: sums over the rows of A, of which so many columns are read. */
const columnTiles = (rows: number, relaxed: boolean) =>
  lines(
    `function across${rows}(${PARAMETERS}, d: usize): void {`,
    range(rows).map((r) => `const c${r} = <usize>${r} * cRow;`),
    sums(rows, (r, half) => `let s${r}${half} = f32x4.splat(0);`),
    "if (d) {",
    sums(rows, (r, half) => `s${r}${half} = v128.load(d + c${r}, ${16 * half});`),
    "}",
    steps(
      step({ rows, relaxed, a: (r) => `v128.load32_splat(a, ${4 * r})`, after: "a += aRow;" }),
      "",
    ),
    sums(rows, (r, half) => `v128.store(c + c${r}, s${r}${half}, ${16 * half});`),
    "}",
  );

/** Four times the value of a lane. */
const splat = (vector: string, lane: number) =>
  `v128.shuffle<f32>(${vector}, ${vector}, ${Array(4).fill(lane).join(", ")})`;

/**
 * `C[6, 8] = A · staged B` for a single group of steps, as short heads of attention have: so short a sum is not worth
 * 12 registers, and with 6 there is room to read 4 values of A at once, which checks an address once for them all.
 */
const flatTile = (relaxed: boolean) =>
  lines(
    "function flat(a: usize, aRow: usize, c: usize, cRow: usize): void {",
    range(2).map(() =>
      lines(
        "{",
        sums(3, (r, half) => `let s${r}${half} = f32x4.splat(0);`),
        range(GROUP / 4).map((quad) =>
          lines(
            "{",
            range(3).map((r) => `const v${r} = v128.load(a + ${r} * aRow, ${16 * quad});`),
            range(4).map((lane) =>
              step({ rows: 3, relaxed, a: (r) => splat(`v${r}`, lane), name: "w" })(
                (half) => staged(1, 4 * quad + lane, half),
                lane,
              )
            ),
            "}",
          )
        ),
        range(3).map((r) => `v128.store(c, s${r}0); v128.store(c, s${r}1, 16); c += cRow;`),
        "a += 3 * aRow;",
        "}",
      )
    ),
    "}",
  );

/** Source of the inner loops. */
export function stagedTiles(relaxed: boolean): string {
  return lines(
    GLOBALS,
    STAGING,
    rowTiles(relaxed),
    flatTile(relaxed),
    [TALL, 4, 2].map((rows) => columnTiles(rows, relaxed)),
  );
}
