/**
 * Declarations of the module `wideMicroKernel`, for editors and readers. The build generates it with
 * `codegen/wideMicroKernel.ts`.
 *
 * Every micro-kernel computes `m` rows of C in tiles, the last one partly filled, from a micro-panel of B with row
 * stride `ldb`. Strides are in bytes.
 *
 * @module
 */

/** C[m, 16] = A · B (+ bias[16]) (+ cIn[m, 16]) in tiles of 6 rows. */
export function wideKernel6x16(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
): void;

/** C[m, 8] = A · B (+ bias[8]) (+ cIn[m, 8]) in tiles of 6 rows. */
export function wideKernel6x8(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
): void;

/** C[m, 16] = A · B (+ bias[16]) (+ cIn[m, 16]) in tiles of 4 rows. */
export function wideKernel4x16(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
): void;

/** C[m, 8] = A · B (+ bias[8]) (+ cIn[m, 8]) in tiles of 4 rows. */
export function wideKernel4x8(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
): void;

/** C[m, 16] = Aᵀ · B (+ cIn[m, 16]). The 6 values of a tile are contiguous in A, panelStride bytes apart from the next tile's. */
export function wideKernelTransA6x16(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  panelStride: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** C[m, 8] = Aᵀ · B (+ cIn[m, 8]). The 6 values of a tile are contiguous in A, panelStride bytes apart from the next tile's. */
export function wideKernelTransA6x8(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  panelStride: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** C[m, 16] = Aᵀ · B (+ cIn[m, 16]). The 4 values of a tile are contiguous in A, panelStride bytes apart from the next tile's. */
export function wideKernelTransA4x16(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  panelStride: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** C[m, 8] = Aᵀ · B (+ cIn[m, 8]). The 4 values of a tile are contiguous in A, panelStride bytes apart from the next tile's. */
export function wideKernelTransA4x8(
  m: i32,
  k: i32,
  a: usize,
  lda: usize,
  panelStride: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;
