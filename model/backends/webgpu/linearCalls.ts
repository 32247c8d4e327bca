/**
 * The calls of a linear layer: which tiles, and how many splits.
 *
 * @module
 */
import { gemm, type GemmOptions, STEP, type TileWidth } from "./kernels/gemm.ts";
import type { Call } from "./program.ts";

/** Number of workgroups that is enough to occupy a GPU. */
const TARGET_GROUPS = 256;

const tilesOf = (m: number, n: number, tile: number) => Math.ceil(m / tile) * Math.ceil(n / tile);

/** Returns the width of the tiles for a result of m x n values. */
export type TileChoice = (m: number, n: number) => TileWidth;

/** Chooses wide tiles where there are enough of them, because they read less. */
export const tileBySize: TileChoice = (m, n) => tilesOf(m, n, 64) >= TARGET_GROUPS ? 64 : 32;

function product(
  options: Omit<GemmOptions, "tile">,
  m: number,
  n: number,
  k: number,
  tileOf: TileChoice,
): Call {
  const tile = tileOf(m, n), groups = tilesOf(m, n, tile);
  return {
    program: gemm({ ...options, tile }),
    uniforms: [m, n, k, k, groups],
    groups,
    flops: 2 * m * n * k,
  };
}

/** x `[rows, in]`, weight `[out, in]`, bias `[out]` (, residual `[rows, out]`) → value `[rows, out]` (, derivative of GELU). */
export function linearCall(
  rows: number,
  outDim: number,
  inDim: number,
  epilogue?: "residual" | "gelu",
  tileOf = tileBySize,
): Call {
  return product({ role: "forward", epilogue }, rows, outDim, inDim, tileOf);
}

/** dy `[rows, out]`, weight `[out, in]` (, factor `[rows, in]`) → gradient of x, `[rows, in]`. */
export function linearDxCall(
  rows: number,
  outDim: number,
  inDim: number,
  epilogue?: "factor",
  tileOf = tileBySize,
): Call {
  return product({ role: "dx", epilogue }, rows, inDim, outDim, tileOf);
}

/** A call that writes partial results, which must be added. */
export interface SplitCall extends Call {
  /** Number of partial results. */
  readonly splits: number;
}

/**
 * dy `[rows, out]`, x `[rows, in]` → gradients of weight `[splits, out, in]` and bias `[splits, out]`. The rows are split
 * (split-K) because a small weight has too few tiles to occupy a GPU. The splits are added in a fixed order.
 */
export function linearDwCall(
  rows: number,
  outDim: number,
  inDim: number,
  tileOf = tileBySize,
): SplitCall {
  const tile = tileOf(outDim, inDim), tiles = tilesOf(outDim, inDim, tile);
  const maxSplits = Math.min(Math.ceil(TARGET_GROUPS / tiles), Math.ceil(rows / (4 * STEP)));
  const splitLength = Math.ceil(rows / maxSplits / STEP) * STEP, splits = Math.ceil(rows / splitLength);
  return {
    program: gemm({ role: "dw", tile }),
    uniforms: [outDim, inDim, rows, splitLength, splits * tiles],
    groups: splits * tiles,
    flops: 2 * rows * outDim * inDim,
    splits,
  };
}
