/**
 * Declarations of the module `compactKernel`, for editors and readers. The build generates it with
 * `codegen/compactKernel.ts`, which explains the compact layout.
 *
 * An element has 32 bytes. `rows` is at most COMPACT_ROWS.
 *
 * @module
 */

/**
 * C[n, rows] = (A[k, rows]ᵀ · B[k, n])ᵀ; without `overwrite` it is added to C. B consists of panels of two columns, ldb
 * bytes apart. The last column of an odd n is at bRest.
 */
export function panelProduct(
  rows: i32,
  n: i32,
  k: i32,
  a: usize,
  b: usize,
  bRest: usize,
  ldb: usize,
  c: usize,
  overwrite: bool,
): void;

/** C[rows, n] += A[rows, k] · B[n, k]ᵀ, with row stride ldc of C. */
export function outerProduct(
  rows: i32,
  n: i32,
  k: i32,
  a: usize,
  b: usize,
  c: usize,
  ldc: usize,
): void;
