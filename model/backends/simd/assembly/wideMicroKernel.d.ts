/**
 * Declarations of the module `wideMicroKernel`, for editors and readers. The build generates it with
 * `codegen/wideMicroKernel.ts`.
 *
 * b is a micro-panel with row stride `ldb`. Strides are in bytes.
 *
 * @module
 */

/** C[m, 16] = A · B (+ bias[16]) (+ cIn[m, 16]) (+ addend[m, 16]) in tiles of 6 rows, one below the other. */
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
  addend: usize,
): void;

/** C[m, 8] = A · B (+ bias[8]) (+ cIn[m, 8]) (+ addend[m, 8]) in tiles of 6 rows, one below the other. */
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
  addend: usize,
): void;

/** C[m, 16] = A · B (+ bias[16]) (+ cIn[m, 16]) (+ addend[m, 16]) in tiles of 4 rows, one below the other. */
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
  addend: usize,
): void;

/** C[m, 8] = A · B (+ bias[8]) (+ cIn[m, 8]) (+ addend[m, 8]) in tiles of 4 rows, one below the other. */
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
  addend: usize,
): void;

/** C[m, 16 · panels] = Aᵀ · B (+ cIn) in tiles of m <= 6 rows side by side, with panels of B panelStride bytes apart. */
export function wideKernelTransA6x16(
  m: i32,
  panels: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  panelStride: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** C[m, 8 · panels] = Aᵀ · B (+ cIn) in tiles of m <= 6 rows side by side, with panels of B panelStride bytes apart. */
export function wideKernelTransA6x8(
  m: i32,
  panels: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  panelStride: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** C[m, 16 · panels] = Aᵀ · B (+ cIn) in tiles of m <= 4 rows side by side, with panels of B panelStride bytes apart. */
export function wideKernelTransA4x16(
  m: i32,
  panels: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  panelStride: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** C[m, 8 · panels] = Aᵀ · B (+ cIn) in tiles of m <= 4 rows side by side, with panels of B panelStride bytes apart. */
export function wideKernelTransA4x8(
  m: i32,
  panels: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  panelStride: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;
