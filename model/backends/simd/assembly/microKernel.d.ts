/**
 * Declarations of the module `microKernel`, for editors and readers. The build generates its 4,000 lines with
 * `codegen/microKernel.ts`.
 *
 * The micro-kernels multiply by the micro-panel of B that was packed last: `kIter` iterations of K_UNROLL steps, then
 * `kLeft` single steps. Strides are in bytes.
 *
 * @module
 */

/** Packs 8 columns of B with row stride ldb. Up to 28 bytes after the last row are read. */
export function packB(kIter: i32, kLeft: i32, b: usize, ldb: usize): void;

/** Packs 8 columns of B that are contiguous, with column stride csB. Those from `width` on repeat the last one. */
export function packBTransposed(kIter: i32, kLeft: i32, width: i32, b: usize, csB: usize): void;

/** C[6, 8] = A · packed B (+ bias[8]) (+ cIn[6, 8]) (+ addend[6, 8]). */
export function microKernel6x8(
  kIter: i32,
  kLeft: i32,
  a: usize,
  lda: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
  addend: usize,
): void;

/** The same for 1 to 4 rows. The last row is computed and stored several times. */
export function microKernel4x8(
  rows: i32,
  kIter: i32,
  kLeft: i32,
  a: usize,
  lda: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
  addend: usize,
): void;

/** C[6, 8] = Aᵀ · packed B (+ cIn[6, 8]), with the 6 values of a step contiguous in A. */
export function microKernelTransA6x8(
  kIter: i32,
  kLeft: i32,
  a: usize,
  lda: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** The same for 4 rows. */
export function microKernelTransA4x8(
  kIter: i32,
  kLeft: i32,
  a: usize,
  lda: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;

/** The same for 2 rows. */
export function microKernelTransA2x8(
  kIter: i32,
  kLeft: i32,
  a: usize,
  lda: usize,
  c: usize,
  ldc: usize,
  cIn: usize,
): void;
