/**
 * The kernels' source in AssemblyScript. It is generated, since a loop that keeps its sums in registers has to be
 * written out: 6 rows of 8 columns are 12 sums, 2 values of B and one of A, which is all that 16 registers hold.
 *
 * Addresses are in bytes, sizes in values, everything is float32. Rows lie one behind the other at a given distance.
 *
 * @module
 */

/** Rows that a product's inner loop keeps in registers. */
const ROWS = 6;
/** Rows of A that go through all of B before the next ones: they stay in the first cache. */
const BLOCK = 48;
/** Rows that a weight's gradient sums before its tile is written back: both operands stay in the first cache. */
const CHUNK = 64;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const lines = (...parts: (string | string[])[]) => parts.flat().join("\n");

/** `sum = a · b + sum`, fused where the machine has it. */
function madd(relaxed: boolean, a: string, b: string, sum: string): string {
  return relaxed
    ? `${sum} = f32x4.relaxed_madd(${a}, ${b}, ${sum});`
    : `${sum} = f32x4.add(${sum}, f32x4.mul(${a}, ${b}));`;
}

/**
 * `C[rows, 8] = A[rows, k] · B[k, 8] (+ bias[8])` with B packed: 8 values of each k one behind the other.
 */
function tile(rows: number, relaxed: boolean): string {
  const step = (at: number) => [
    `const b0 = v128.load(b, ${32 * at}), b1 = v128.load(b, ${32 * at + 16});`,
    ...range(rows).flatMap((r) => [
      `const v${r} = v128.load32_splat(a${r}, ${4 * at});`,
      madd(relaxed, `v${r}`, "b0", `s${r}0`),
      madd(relaxed, `v${r}`, "b1", `s${r}1`),
    ]),
  ];
  return lines(
    `function tile${rows}(k: i32, a: usize, aRow: usize, b: usize, c: usize, cRow: usize, bias: usize): void {`,
    "let i0 = f32x4.splat(0), i1 = f32x4.splat(0);",
    "if (bias) { i0 = v128.load(bias); i1 = v128.load(bias, 16); }",
    range(rows).map((r) => `let s${r}0 = i0, s${r}1 = i1, a${r} = a + ${r} * aRow;`),
    "for (; k >= 4; k -= 4) {",
    range(4).flatMap((at) => ["{", ...step(at), "}"]),
    "b += 128;",
    range(rows).map((r) => `a${r} += 16;`),
    "}",
    "for (; k > 0; k--) {",
    step(0),
    "b += 32;",
    range(rows).map((r) => `a${r} += 4;`),
    "}",
    range(rows).flatMap((r) => [`v128.store(c, s${r}0); v128.store(c, s${r}1, 16);`, "c += cRow;"]),
    "}",
  );
}

/** `C[4, 8] += A[m, 4]ᵀ · B[m, 8]`, both read row by row. */
function transposedTile(relaxed: boolean): string {
  const rows = range(4);
  return lines(
    "function transposed(m: i32, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize): void {",
    rows.map((r) =>
      `const c${r} = c + ${r} * cRow; let s${r}0 = v128.load(c${r}), s${r}1 = v128.load(c${r}, 16);`
    ),
    "for (; m > 0; m--) {",
    "const b0 = v128.load(b), b1 = v128.load(b, 16);",
    rows.flatMap((r) => [
      `const v${r} = v128.load32_splat(a, ${4 * r});`,
      madd(relaxed, `v${r}`, "b0", `s${r}0`),
      madd(relaxed, `v${r}`, "b1", `s${r}1`),
    ]),
    "a += aRow; b += bRow;",
    "}",
    rows.map((r) => `v128.store(c${r}, s${r}0); v128.store(c${r}, s${r}1, 16);`),
    "}",
  );
}

const DRIVERS = `
/** Panels of 8 columns: value (k, j) of B lies at b + k · bRow + j · bColumn; zeros fill the last panel up. */
export function pack(n: i32, k: i32, b: usize, bRow: usize, bColumn: usize, out: usize): void {
  for (let j: i32 = 0; j < n; j += 8) {
    const column = b + <usize>j * bColumn, width = <usize>min(8, n - j);
    for (let i: i32 = 0; i < k; i++) {
      const at = column + <usize>i * bRow;
      for (let l: usize = 0; l < 8; l++) f32.store(out + 4 * l, l < width ? f32.load(at + l * bColumn) : 0);
      out += 32;
    }
  }
}

/** C[m, n] = A[m, k] · B (+ bias[n], where it is not 0), B packed; rows of A and C at any distance. */
function rows(m: i32, n: i32, k: i32, a: usize, aRow: usize, packed: usize, c: usize, cRow: usize, bias: usize): void {
  const panel = <usize>k * 32;
  for (let top: i32 = 0; top < m; top += ${BLOCK}) {
    const end = min(top + ${BLOCK}, m);
    for (let j: i32 = 0; j < n; j += 8) {
      const b = packed + <usize>(j >> 3) * panel, bj = bias ? bias + <usize>j * 4 : 0;
      let i = top;
      for (; i + ${ROWS} <= end; i += ${ROWS}) {
        tile${ROWS}(k, a + <usize>i * aRow, aRow, b, c + <usize>i * cRow + <usize>j * 4, cRow, bj);
      }
      const ai = a + <usize>i * aRow, ci = c + <usize>i * cRow + <usize>j * 4;
      switch (end - i) {
${
  range(ROWS - 1).map((r) => `        case ${r + 1}: tile${r + 1}(k, ai, aRow, b, ci, cRow, bj); break;`)
    .join("\n")
}
      }
    }
  }
}

/** C[m, n] = A[m, k] · B (+ bias[n], where it is not 0), B packed. n is a multiple of 8. */
export function product(m: i32, n: i32, k: i32, a: usize, packed: usize, c: usize, bias: usize): void {
  rows(m, n, k, a, <usize>k * 4, packed, c, <usize>n * 4, bias);
}

/** C[n, k] = A[m, n]ᵀ · B[m, k]. n is a multiple of 4, k of 8. */
export function transposedProduct(m: i32, n: i32, k: i32, a: usize, b: usize, c: usize): void {
  const aRow = <usize>n * 4, bRow = <usize>k * 4;
  memory.fill(c, 0, <usize>n * bRow);
  for (let top: i32 = 0; top < m; top += ${CHUNK}) {
    const rows = min(${CHUNK}, m - top);
    const at = a + <usize>top * aRow, bt = b + <usize>top * bRow;
    for (let i: i32 = 0; i < n; i += 4) {
      for (let j: i32 = 0; j < k; j += 8) {
        transposed(rows, at + <usize>i * 4, aRow, bt + <usize>j * 4, bRow, c + <usize>i * bRow + <usize>j * 4, bRow);
      }
    }
  }
}

/** out[n] = the sum of the rows of A[m, n]. n is a multiple of 4. */
export function sumRows(m: i32, n: i32, a: usize, out: usize): void {
  const row = <usize>n * 4;
  memory.fill(out, 0, row);
  for (let i: i32 = 0; i < m; i++) {
    for (let j: usize = 0; j < row; j += 16) {
      v128.store(out + j, f32x4.add(v128.load(out + j), v128.load(a + j)));
    }
    a += row;
  }
}
`;

const ATTENTION = `
/** e^x in 1 ulp or so (Cephes); below -87 as for -87. */
function exp4(value: v128): v128 {
  const x = f32x4.max(value, f32x4.splat(-87));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.4426950408889634)));
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let p = f32x4.splat(1.9875691500e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3981999507e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3334519073e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1665795894e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666665459e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(5.0000001201e-1));
  p = f32x4.add(f32x4.add(f32x4.mul(f32x4.mul(p, r), r), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, power);
}

function sum4(x: v128): f32 {
  return f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3);
}

/** softmax(scale · x) of every row, in place; the columns from \`width\` to the padded one become 0. */
function softmax(height: i32, width: i32, row: usize, x: usize, scale: f32): void {
  const end = <usize>width * 4, factor = f32x4.splat(scale);
  for (; height > 0; height--) {
    for (let at = end; at < row; at += 4) f32.store(x + at, -Infinity);
    let most = f32x4.splat(-Infinity);
    for (let at: usize = 0; at < row; at += 16) {
      const scaled = f32x4.mul(v128.load(x + at), factor);
      v128.store(x + at, scaled);
      most = f32x4.max(most, scaled);
    }
    const top = max(
      max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
      max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
    );
    for (let at: usize = 0; at < row; at += 16) {
      v128.store(x + at, exp4(f32x4.sub(v128.load(x + at), f32x4.splat(top))));
    }
    for (let at = end; at < row; at += 4) f32.store(x + at, 0);
    let total = f32x4.splat(0);
    for (let at: usize = 0; at < row; at += 16) total = f32x4.add(total, v128.load(x + at));
    const share = f32x4.splat(1 / sum4(total));
    for (let at: usize = 0; at < row; at += 16) v128.store(x + at, f32x4.mul(v128.load(x + at), share));
    x += row;
  }
}

/** out[n, size] = A[m, n]ᵀ · B[m, size], by way of a padded scratch; rows of out at the distance outRow. */
function gathered(
  m: i32, n: i32, size: i32, a: usize, aRow: usize, b: usize, bRow: usize, tmp: usize, out: usize, outRow: usize,
): void {
  const tmpRow = <usize>size * 4;
  memory.fill(tmp, 0, (aRow >> 2) * tmpRow);
  for (let i: i32 = 0; i < n; i += 4) {
    for (let j: i32 = 0; j < size; j += 8) {
      transposed(m, a + <usize>i * 4, aRow, b + <usize>j * 4, bRow, tmp + <usize>i * tmpRow + <usize>j * 4, tmpRow);
    }
  }
  for (let i: i32 = 0; i < n; i++) memory.copy(out + <usize>i * outRow, tmp + <usize>i * tmpRow, tmpRow);
}

/**
 * Multi-head attention: qkv[batch, tokens, 3 · heads · size] gives out[batch, tokens, heads · size] and the weights
 * [batch · heads, tokens, padded], tokens padded to a multiple of 8. scratch holds padded · size values.
 */
export function attention(
  batch: i32, tokens: i32, heads: i32, size: i32, qkv: usize, weights: usize, out: usize, scratch: usize, scale: f32,
): void {
  const dim = <usize>(heads * size) * 4, row = 3 * dim, width = <usize>((tokens + 7) & ~7) * 4;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize>(b * tokens) * row + <usize>(h * size) * 4;
      pack(tokens, size, q + dim, 4, row, scratch);
      rows(tokens, (tokens + 7) & ~7, size, q, row, scratch, weights, width, 0);
      softmax(tokens, tokens, width, weights, scale);
      pack(size, tokens, q + 2 * dim, row, 4, scratch);
      rows(tokens, size, tokens, weights, width, scratch, out + <usize>(b * tokens) * dim + <usize>(h * size) * 4, dim, 0);
      weights += <usize>tokens * width;
    }
  }
}

/** The gradient of qkv from that of out. scratch holds padded · (size + tokens) values. */
export function attentionGradient(
  batch: i32, tokens: i32, heads: i32, size: i32, qkv: usize, weights: usize, dOut: usize, dQkv: usize, scratch: usize,
  scale: f32,
): void {
  const dim = <usize>(heads * size) * 4, row = 3 * dim, width = <usize>((tokens + 7) & ~7) * 4;
  const dScores = scratch + width * <usize>size;
  for (let b: i32 = 0; b < batch; b++) {
    for (let h: i32 = 0; h < heads; h++) {
      const q = qkv + <usize>(b * tokens) * row + <usize>(h * size) * 4, dq = dQkv + (q - qkv);
      const dy = dOut + <usize>(b * tokens) * dim + <usize>(h * size) * 4;
      pack(tokens, size, q + 2 * dim, 4, row, scratch);
      rows(tokens, (tokens + 7) & ~7, size, dy, dim, scratch, dScores, width, 0);
      for (let t: i32 = 0; t < tokens; t++) {
        const p = weights + <usize>t * width, ds = dScores + <usize>t * width;
        let along = f32x4.splat(0);
        for (let at: usize = 0; at < width; at += 16) {
          along = f32x4.add(along, f32x4.mul(v128.load(p + at), v128.load(ds + at)));
        }
        const mean = f32x4.splat(sum4(along)), factor = f32x4.splat(scale);
        for (let at: usize = 0; at < width; at += 16) {
          const centred = f32x4.sub(v128.load(ds + at), mean);
          v128.store(ds + at, f32x4.mul(f32x4.mul(centred, v128.load(p + at)), factor));
        }
      }
      pack(size, tokens, q + dim, row, 4, scratch);
      rows(tokens, size, tokens, dScores, width, scratch, dq, row, 0);
      gathered(tokens, tokens, size, dScores, width, q, row, scratch, dq + dim, row);
      gathered(tokens, tokens, size, weights, width, dy, dim, scratch, dq + 2 * dim, row);
      weights += <usize>tokens * width;
    }
  }
}
`;

const ELEMENTWISE = `
/**
 * Exact GELU of n values (a multiple of 4), and its derivative. The error function after Abramowitz & Stegun 7.1.26,
 * within 1.5e-7; its exponential is the normal density's as well.
 */
export function gelu(n: i32, x: usize, out: usize, derivative: usize): void {
  const end = x + <usize>n * 4;
  for (; x < end; x += 16) {
    const v = v128.load(x), half = f32x4.splat(0.5), one = f32x4.splat(1);
    const z = f32x4.abs(f32x4.mul(v, f32x4.splat(0.7071067811865476)));
    const bell = exp4(f32x4.neg(f32x4.mul(z, z)));
    const t = f32x4.div(one, f32x4.add(one, f32x4.mul(z, f32x4.splat(0.3275911))));
    let p = f32x4.splat(1.061405429);
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-1.453152027));
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(1.421413741));
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(-0.284496736));
    p = f32x4.add(f32x4.mul(p, t), f32x4.splat(0.254829592));
    // The upper tail, 1 - cdf(|x|); for a negative x it is the cdf itself.
    const tail = f32x4.mul(f32x4.mul(f32x4.mul(p, t), bell), half);
    const cdf = v128.bitselect(tail, f32x4.sub(one, tail), f32x4.lt(v, f32x4.splat(0)));
    v128.store(out, f32x4.mul(v, cdf));
    v128.store(derivative, f32x4.add(cdf, f32x4.mul(v, f32x4.mul(bell, f32x4.splat(0.3989422804014327)))));
    out += 16;
    derivative += 16;
  }
}

/** out[count, n] = the rows of x that the 32-bit indices name. */
export function takeRows(count: i32, n: i32, x: usize, indices: usize, out: usize): void {
  const row = <usize>n * 4;
  for (; count > 0; count--) {
    memory.copy(out, x + <usize>i32.load(indices) * row, row);
    indices += 4;
    out += row;
  }
}

/** Layer norm of x[m, n], n a multiple of 4; normed[m, n] and scale[m] are for the gradient. */
export function layerNorm(
  m: i32, n: i32, x: usize, weight: usize, bias: usize, out: usize, normed: usize, scale: usize, eps: f32,
): void {
  const row = <usize>n * 4, share: f32 = 1 / <f32>n;
  for (; m > 0; m--) {
    let total = f32x4.splat(0);
    for (let at: usize = 0; at < row; at += 16) total = f32x4.add(total, v128.load(x + at));
    const mean = f32x4.splat(sum4(total) * share);
    let squares = f32x4.splat(0);
    for (let at: usize = 0; at < row; at += 16) {
      const centred = f32x4.sub(v128.load(x + at), mean);
      squares = f32x4.add(squares, f32x4.mul(centred, centred));
    }
    const factor: f32 = 1 / sqrt<f32>(sum4(squares) * share + eps), f = f32x4.splat(factor);
    f32.store(scale, factor);
    for (let at: usize = 0; at < row; at += 16) {
      const value = f32x4.mul(f32x4.sub(v128.load(x + at), mean), f);
      v128.store(normed + at, value);
      v128.store(out + at, f32x4.add(f32x4.mul(value, v128.load(weight + at)), v128.load(bias + at)));
    }
    x += row; out += row; normed += row; scale += 4;
  }
}

/** Gradients of x[m, n], weight[n] and bias[n] from that of the output. */
export function layerNormGradient(
  m: i32, n: i32, dy: usize, normed: usize, scale: usize, weight: usize, dx: usize, dWeight: usize, dBias: usize,
): void {
  const row = <usize>n * 4, share: f32 = 1 / <f32>n;
  memory.fill(dWeight, 0, row);
  memory.fill(dBias, 0, row);
  for (; m > 0; m--) {
    let total = f32x4.splat(0), along = f32x4.splat(0);
    for (let at: usize = 0; at < row; at += 16) {
      const g = v128.load(dy + at), value = v128.load(normed + at), d = f32x4.mul(g, v128.load(weight + at));
      total = f32x4.add(total, d);
      along = f32x4.add(along, f32x4.mul(d, value));
      v128.store(dWeight + at, f32x4.add(v128.load(dWeight + at), f32x4.mul(g, value)));
      v128.store(dBias + at, f32x4.add(v128.load(dBias + at), g));
    }
    const mean = f32x4.splat(sum4(total) * share), slope = f32x4.splat(sum4(along) * share);
    const f = f32x4.splat(f32.load(scale));
    for (let at: usize = 0; at < row; at += 16) {
      const d = f32x4.mul(v128.load(dy + at), v128.load(weight + at));
      const centred = f32x4.sub(f32x4.sub(d, mean), f32x4.mul(v128.load(normed + at), slope));
      v128.store(dx + at, f32x4.mul(centred, f));
    }
    dy += row; normed += row; dx += row; scale += 4;
  }
}
`;

/** The whole module. @param relaxed with fused multiply-add (the relaxed SIMD proposal) */
export function kernelSource(relaxed: boolean): string {
  const tiles = range(ROWS).map((r) => tile(r + 1, relaxed));
  return lines(...tiles, transposedTile(relaxed), DRIVERS, ATTENTION, ELEMENTWISE);
}
