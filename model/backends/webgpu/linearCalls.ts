/**
 * The calls of a linear layer: the width of its tiles, and the number of splits.
 *
 * @module
 */
import {
  type GradientKind,
  type LinearEpilogue,
  linearGradientProgram,
  linearProgram,
  STEP,
  type TileWidth,
} from "./kernels/gemm.ts";
import type { Call } from "./program.ts";

/** Number of workgroups that is enough to occupy a GPU. */
const TARGET_GROUPS = 256;

const tilesOf = (m: number, n: number, tile: number) => Math.ceil(m / tile) * Math.ceil(n / tile);

/** Returns the width of the tiles, given the number of tiles of a width. */
export type TileChoice = (count: (tile: TileWidth) => number) => TileWidth;

/** Chooses wide tiles where there are enough of them, because they read less. */
export const tileByCount: TileChoice = (count) => count(64) >= TARGET_GROUPS ? 64 : 32;

/** x `[rows, in]`, weight `[out, in]`, bias `[out]` (, residual `[rows, out]`) → value `[rows, out]` (, derivative of GELU). */
export function linearCall(
  rows: number,
  outDim: number,
  inDim: number,
  epilogue: LinearEpilogue = "none",
  tileOf = tileByCount,
): Call {
  const count = (tile: number) => tilesOf(rows, outDim, tile), tile = tileOf(count), groups = count(tile);
  return {
    program: linearProgram(tile, epilogue),
    uniforms: [rows, outDim, inDim, groups],
    groups,
    flops: 2 * rows * outDim * inDim,
  };
}

/** A call that writes partial results, which must be added. */
export interface SplitCall extends Call {
  /** Number of partial results. */
  readonly splits: number;
}

/**
 * dy `[rows, out]`, x `[rows, in]` (, weight `[out, in]`) (, factor `[rows, in]`) → (gradient of x,) gradients of weight
 * `[splits, out, in]` and bias `[splits, out]`. The rows are split (split-K) where there are too few tiles to occupy a
 * GPU. The splits are added in a fixed order.
 */
export function linearGradientCall(
  rows: number,
  outDim: number,
  inDim: number,
  kind: GradientKind = "all",
  tileOf = tileByCount,
): SplitCall {
  const hasDx = kind !== "parameters";
  const dxTiles = (tile: number) => hasDx ? tilesOf(rows, inDim, tile) : 0;
  const dwTiles = (tile: number) => tilesOf(outDim, inDim, tile);
  const tile = tileOf((tile) => dxTiles(tile) + dwTiles(tile)), dxGroups = dxTiles(tile);
  const missing = Math.max(1, TARGET_GROUPS - dxGroups);
  const maxSplits = Math.min(Math.ceil(missing / dwTiles(tile)), Math.ceil(rows / (4 * STEP)));
  const splitRows = Math.ceil(rows / maxSplits / STEP) * STEP, splits = Math.ceil(rows / splitRows);
  const groups = dxGroups + splits * dwTiles(tile);
  return {
    program: linearGradientProgram(tile, kind),
    uniforms: [rows, outDim, inDim, splitRows, dxGroups, groups],
    groups,
    flops: 2 * rows * outDim * inDim * (hasDx ? 2 : 1),
    splits,
  };
}
