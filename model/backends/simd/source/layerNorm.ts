/**
 * Layer norm, several rows side by side: one alone would wait for its own sums.
 *
 * @module
 */
import { lines, range, rowsAbreast } from "./write.ts";

/** A loop over whole vectors of a row, then over the values that are left. */
const along = (vector: string[], scalar: string[]) =>
  lines(
    "for (at = 0; at < whole; at += 16) {",
    vector,
    "}",
    "for (; at < row; at += 4) {",
    scalar,
    "}",
  );

/** The same line for each row. */
const each = (count: number, line: (r: number) => string) => range(count).map(line);

const forwardRows = (count: number) =>
  lines(
    each(count, (r) =>
      `const x${r} = x + ${r} * row, o${r} = out + ${r} * row, y${r} = normed + ${r} * row;
let total${r} = f32x4.splat(0), rest${r}: f32 = 0;`),
    "let at: usize = 0;",
    along(
      each(count, (r) => `total${r} = f32x4.add(total${r}, v128.load(x${r} + at));`),
      each(count, (r) => `rest${r} += f32.load(x${r} + at);`),
    ),
    each(count, (r) =>
      `const mean${r}: f32 = (sum4(total${r}) + rest${r}) * share, means${r} = f32x4.splat(mean${r});
total${r} = f32x4.splat(0); rest${r} = 0;`),
    along(
      each(count, (r) =>
        `{ const centred = f32x4.sub(v128.load(x${r} + at), means${r});
total${r} = f32x4.add(total${r}, f32x4.mul(centred, centred)); }`),
      each(count, (r) =>
        `rest${r} += (f32.load(x${r} + at) - mean${r}) * (f32.load(x${r} + at) - mean${r});`),
    ),
    each(count, (r) =>
      `const factor${r}: f32 = 1 / sqrt<f32>((sum4(total${r}) + rest${r}) * share + eps), f${r} = f32x4.splat(factor${r});
f32.store(scale, factor${r}, ${4 * r});`),
    along(
      [
        "const w = v128.load(weight + at), b = v128.load(bias + at);",
        ...each(count, (r) =>
          `{ const value = f32x4.mul(f32x4.sub(v128.load(x${r} + at), means${r}), f${r});
v128.store(y${r} + at, value);
v128.store(o${r} + at, f32x4.add(f32x4.mul(value, w), b)); }`),
      ],
      each(count, (r) =>
        `{ const value = (f32.load(x${r} + at) - mean${r}) * factor${r};
f32.store(y${r} + at, value);
f32.store(o${r} + at, value * f32.load(weight + at) + f32.load(bias + at)); }`),
    ),
  );

const gradientRows = (count: number) =>
  lines(
    each(count, (r) =>
      `const g${r} = dy + ${r} * row, y${r} = normed + ${r} * row, d${r} = dx + ${r} * row;
let total${r} = f32x4.splat(0), along${r} = f32x4.splat(0), rest${r}: f32 = 0, restAlong${r}: f32 = 0;`),
    "let at: usize = 0;",
    along(
      [
        "const w = v128.load(weight + at);",
        "let sumWeight = v128.load(dWeight + at), sumBias = v128.load(dBias + at);",
        ...each(count, (r) =>
          `{ const g = v128.load(g${r} + at), value = v128.load(y${r} + at), d = f32x4.mul(g, w);
total${r} = f32x4.add(total${r}, d);
along${r} = f32x4.add(along${r}, f32x4.mul(d, value));
sumWeight = f32x4.add(sumWeight, f32x4.mul(g, value));
sumBias = f32x4.add(sumBias, g); }`),
        "v128.store(dWeight + at, sumWeight); v128.store(dBias + at, sumBias);",
      ],
      each(count, (r) =>
        `{ const g = f32.load(g${r} + at), value = f32.load(y${r} + at), d = g * f32.load(weight + at);
rest${r} += d; restAlong${r} += d * value;
f32.store(dWeight + at, f32.load(dWeight + at) + g * value);
f32.store(dBias + at, f32.load(dBias + at) + g); }`),
    ),
    each(count, (r) =>
      `const mean${r}: f32 = (sum4(total${r}) + rest${r}) * share, slope${r}: f32 = (sum4(along${r}) + restAlong${r}) * share;
const factor${r}: f32 = f32.load(scale, ${4 * r});
const means${r} = f32x4.splat(mean${r}), slopes${r} = f32x4.splat(slope${r}), f${r} = f32x4.splat(factor${r});`),
    along(
      [
        "const w = v128.load(weight + at);",
        ...each(count, (r) =>
          `{ const d = f32x4.mul(v128.load(g${r} + at), w);
const centred = f32x4.sub(f32x4.sub(d, means${r}), f32x4.mul(v128.load(y${r} + at), slopes${r}));
v128.store(d${r} + at, f32x4.mul(centred, f${r})); }`),
      ],
      each(count, (r) =>
        `{ const d = f32.load(g${r} + at) * f32.load(weight + at);
f32.store(d${r} + at, (d - mean${r} - f32.load(y${r} + at) * slope${r}) * factor${r}); }`),
    ),
  );

/** Goes through all m rows. */
const rowByRow = (rows: (count: number) => string, pointers: string[]) =>
  rowsAbreast("m", rows, (count) => [
    ...pointers.map((pointer) => `${pointer} += ${count} * row;`),
    `scale += ${4 * count};`,
  ]);

/** Source of layer norm. */
export const LAYER_NORM: string = `
/** Layer norm of x[m, n]; normed[m, n] and scale[m] are for the gradient. */
export function layerNorm(
  m: i32, n: i32, x: usize, weight: usize, bias: usize, out: usize, normed: usize, scale: usize, eps: f32,
): void {
  const row = <usize>n * 4, whole = row & ~15, share: f32 = 1 / <f32>n;
${rowByRow(forwardRows, ["x", "out", "normed"])}
}

/** Gradients of x[m, n] from that of the output; what is weight[n]'s and bias[n]'s is added to theirs. */
export function layerNormGradient(
  m: i32, n: i32, dy: usize, normed: usize, scale: usize, weight: usize, dx: usize, dWeight: usize, dBias: usize,
): void {
  const row = <usize>n * 4, whole = row & ~15, share: f32 = 1 / <f32>n;
${rowByRow(gradientRows, ["dy", "normed", "dx"])}
}
`;
