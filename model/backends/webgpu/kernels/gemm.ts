/**
 * Matrix products of linear layers. A workgroup computes a square tile of the result, a thread 4 x 4 values of it. Bias,
 * residual, GELU and its derivative are applied in the epilogue, so their operands are read once and no intermediate
 * result is written.
 *
 * @module
 */
import { type Program, program } from "../program.ts";
import { GELU_FUNCTION } from "./gelu.ts";

/** Width of a workgroup's tile. */
export type TileWidth = 32 | 64;

/** Length of the sum that a workgroup loads per iteration. */
export const STEP = 16;

/** An operand: its buffer, its length along the result, and whether the axis that is summed is contiguous in memory. */
interface Operand {
  readonly buffer: string;
  readonly size: string;
  readonly summedIsContiguous: boolean;
}

/** A product `a` · `b` as a WGSL function of a workgroup and a thread. */
interface Product {
  readonly name: string;
  readonly a: Operand;
  readonly b: Operand;
  /** Length of the sum. */
  readonly length: string;
  /** Length of a part of it that a workgroup adds; the whole sum if absent. */
  readonly splitLength?: string;
  /** Stores `sum` at `index`, which is in `column` of the result and of its `split`. */
  readonly store: string;
  /** Buffer of the sums of `a` over the summed axis. */
  readonly sums?: string;
}

const QUAD = [0, 1, 2, 3];

/** Returns the WGSL functions of a product. Their tiles are arrays of quads: four neighbours along the result. */
function productCode(product: Product, tile: TileWidth): string {
  const { name, a, b, length, splitLength = length, store, sums } = product;
  const lanes = tile / 4, threads = lanes * lanes, stride = lanes + 1;
  // Neighbouring threads read neighbouring addresses.
  const load = (target: string, { buffer, size, summedIsContiguous }: Operand, first: string) => {
    const [k, quad] = summedIsContiguous
      ? [`slot % ${STEP}u`, `slot / ${STEP}u`]
      : [`slot / ${lanes}u`, `slot % ${lanes}u`];
    const value = (i: number) => {
      const address = summedIsContiguous
        ? `(position + ${i}u) * ${length} + k`
        : `k * ${size} + position + ${i}u`;
      return `if (position + ${i}u < ${size}) { quad[${i}] = ${buffer}[${address}]; }`;
    };
    return `{
        let k = first + ${k};
        let position = ${first} + 4u * (${quad});
        var quad = vec4<f32>();
        if (k < end) {
          ${QUAD.map(value).join("\n          ")}
        }
        ${target}[(k - first) * ${stride}u + ${quad}] = quad;
      }`;
  };
  return `
fn ${name}Store(split: u32, row: u32, column: u32, sum: f32) {
  if (row >= ${a.size} || column >= ${b.size}) { return; }
  let index = (split * ${a.size} + row) * ${b.size} + column;
  ${store}
}
fn ${name}(group: u32, thread: u32) {
  let tilesPerRow = (${b.size} + ${tile - 1}u) / ${tile}u;
  let tiles = tilesPerRow * ((${a.size} + ${tile - 1}u) / ${tile}u);
  let split = group / tiles;
  let firstA = group % tiles / tilesPerRow * ${tile}u;
  let firstB = group % tiles % tilesPerRow * ${tile}u;
  let quadA = thread / ${lanes}u;
  let quadB = thread % ${lanes}u;
  let end = min(${length}, (split + 1u) * ${splitLength});
  ${QUAD.map((i) => `var sum${i} = vec4<f32>();`).join(" ")}
  ${sums ? "var sumA = vec4<f32>();" : ""}
  for (var first = split * ${splitLength}; first < end; first += ${STEP}u) {
    workgroupBarrier();
    for (var slot = thread; slot < ${STEP * lanes}u; slot += ${threads}u) {
      ${load("tileA", a, "firstA")}
      ${load("tileB", b, "firstB")}
    }
    workgroupBarrier();
    for (var r = 0u; r < ${STEP * stride}u; r += ${stride}u) {
      let left = tileA[r + quadA];
      let right = tileB[r + quadB];
      ${QUAD.map((i) => `sum${i} += left[${i}] * right;`).join("\n      ")}
      ${sums ? "sumA += left;" : ""}
    }
  }
  let row = firstA + 4u * quadA;
  let column = firstB + 4u * quadB;
  ${
    QUAD.flatMap((i) => QUAD.map((j) => `${name}Store(split, row + ${i}u, column + ${j}u, sum${i}[${j}]);`))
      .join("\n  ")
  }
  ${
    sums
      ? `if (column == 0u) {
    for (var i = 0u; i < 4u; i++) {
      if (row + i < ${a.size}) { ${sums}[split * ${a.size} + row + i] = sumA[i]; }
    }
  }`
      : ""
  }
}`;
}

/** WGSL declarations of the tiles that the products of a program share. */
const tiles = (tile: TileWidth) => {
  const size = STEP * (tile / 4 + 1);
  return `
var<workgroup> tileA: array<vec4<f32>, ${size}>;
var<workgroup> tileB: array<vec4<f32>, ${size}>;`;
};

const threadsOf = (tile: TileWidth) => (tile / 4) ** 2;
const rows = "u.rows", outDim = "u.outDim", inDim = "u.inDim";
const SIZES = { rows: "u32", outDim: "u32", inDim: "u32" } as const;

/** What the epilogue of a linear layer computes from its value. */
export type LinearEpilogue = "none" | "residual" | "gelu";

/**
 * x `[rows, in]`, weight `[out, in]`, bias `[out]` (, residual `[rows, out]`) → value `[rows, out]` (, derivative of GELU).
 * Uniforms: the sizes, and the number of workgroups.
 */
function generateLinear(tile: TileWidth, epilogue: LinearEpilogue): Program {
  const stores = {
    none: "value[index] = sum + bias[column];",
    residual: "value[index] = sum + bias[column] + residual[index];",
    gelu: "let result = gelu(sum + bias[column]); value[index] = result.x; derivative[index] = result.y;",
  };
  return program({
    name: epilogue === "none" ? "linear" : `linear + ${epilogue}`,
    writes: { value: "f32", ...(epilogue === "gelu" ? { derivative: "f32" } : {}) },
    reads: { x: "f32", weight: "f32", bias: "f32", ...(epilogue === "residual" ? { residual: "f32" } : {}) },
    uniforms: { ...SIZES, groups: "u32" },
    threads: threadsOf(tile),
    shared: tiles(tile) + (epilogue === "gelu" ? GELU_FUNCTION : "") + productCode({
      name: "linear",
      a: { buffer: "x", size: rows, summedIsContiguous: true },
      b: { buffer: "weight", size: outDim, summedIsContiguous: true },
      length: inDim,
      store: stores[epilogue],
    }, tile),
    body: "  if (group < u.groups) { linear(group, thread); }",
  });
}

/** The inputs whose gradients a program computes: parameters only, or x too, times a factor if there is one. */
export type GradientKind = "parameters" | "all" | "all · factor";

/**
 * dy `[rows, out]`, x `[rows, in]` (, weight `[out, in]`) (, factor `[rows, in]`) → (dx `[rows, in]`,) gradients of weight
 * `[splits, out, in]` and bias `[splits, out]`. The first workgroups compute dx, the others the rest: both read dy, and
 * neither waits for the other. Uniforms: the sizes, the number of rows of a split, of workgroups for dx, and of all.
 */
function generateGradient(tile: TileWidth, kind: GradientKind): Program {
  const hasDx = kind !== "parameters", hasFactor = kind === "all · factor";
  const dy = { buffer: "dy", size: outDim, summedIsContiguous: false };
  const dw = productCode({
    name: "dw",
    a: dy,
    b: { buffer: "x", size: inDim, summedIsContiguous: false },
    length: rows,
    splitLength: "u.splitRows",
    store: "dWeight[index] = sum;",
    sums: "dBias",
  }, tile);
  const dx = productCode({
    name: "dx",
    a: { buffer: "dy", size: rows, summedIsContiguous: true },
    b: { buffer: "weight", size: inDim, summedIsContiguous: false },
    length: outDim,
    store: `dxValue[index] = sum${hasFactor ? " * factor[index]" : ""};`,
  }, tile);
  return program({
    name: "gradients of a linear layer" + (hasDx ? "" : "'s parameters") + (hasFactor ? " · factor" : ""),
    writes: { ...(hasDx ? { dxValue: "f32" } : {}), dWeight: "f32", dBias: "f32" },
    reads: {
      dy: "f32",
      x: "f32",
      ...(hasDx ? { weight: "f32" } : {}),
      ...(hasFactor ? { factor: "f32" } : {}),
    },
    uniforms: { ...SIZES, splitRows: "u32", dxGroups: "u32", groups: "u32" },
    threads: threadsOf(tile),
    shared: tiles(tile) + dw + (hasDx ? dx : ""),
    body: hasDx
      ? `
  if (group < u.dxGroups) { dx(group, thread); } else if (group < u.groups) { dw(group - u.dxGroups, thread); }`
      : "  if (group < u.groups) { dw(group, thread); }",
  });
}

const cache = new Map<string, Program>();

function cached(key: string, generate: () => Program): Program {
  const program = cache.get(key) ?? generate();
  cache.set(key, program);
  return program;
}

/** Returns the program of a linear layer; see `generateLinear`. */
export function linearProgram(tile: TileWidth, epilogue: LinearEpilogue): Program {
  return cached(`linear ${tile} ${epilogue}`, () => generateLinear(tile, epilogue));
}

/** Returns the program of the gradients of a linear layer; see `generateGradient`. */
export function linearGradientProgram(tile: TileWidth, kind: GradientKind): Program {
  return cached(`gradient ${tile} ${kind}`, () => generateGradient(tile, kind));
}
