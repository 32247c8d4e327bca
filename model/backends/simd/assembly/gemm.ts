/**
 * Matrix products. An element of C is the sum of the partial sums of KC steps in the order of k, each a chain of
 * multiply-adds from 0. The bias is added to the first one, and the addend at the end: a chain that started from a large
 * addend would round every step to the precision of the addend. The builds have different tiles and the same bits.
 *
 * Strides are in bytes. Up to 60 bytes after the last rows of A and B and after the bias are read and not used.
 */
import { narrowGemm } from "./narrowGemm";
import { narrowGemmTransA } from "./narrowGemmTransA";
import { wideGemm } from "./wideGemm";
import { wideGemmTransA } from "./wideGemmTransA";

/**
 * C[m, n] = A[m, k] · B[k, n] (+ bias[n]) (+ addend[m, n]). An absent bias or addend is 0. C
 * must not overlap the addend. rsB and csB are the row and column stride of B; one of them is 4. scratch: TILE_SIZE floats.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  b: usize,
  rsB: usize,
  csB: usize,
  c: usize,
  bias: usize,
  addend: usize,
  scratch: usize,
): void {
  gemmColumns(m, n, k, a, b, rsB, csB, c, <usize> n * 4, bias, addend, scratch);
}

/** `gemm` for `n` of the columns of a wider C, with the row stride ldc. The addend has that stride, too. */
export function gemmColumns(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  b: usize,
  rsB: usize,
  csB: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  addend: usize,
  scratch: usize,
): void {
  if (VECTOR_BITS == 256) wideGemm(m, n, k, a, b, rsB, csB, c, ldc, bias, addend, scratch);
  else narrowGemm(m, n, k, a, b, rsB, csB, c, ldc, bias, addend, scratch);
}

/**
 * C[m, n] (+)= A[k, m]ᵀ · B[k, n], as for the gradient of a weight. `overwrite` is beta = 0: C is written; otherwise the
 * product is added to C. scratch: TILE_SIZE floats. packed: PACK_SIZE floats of scratch memory for packing A, or 0. Wide
 * matrices need the packing, because the starts of their rows evict each other from the first-level cache.
 */
export function gemmTransA(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  b: usize,
  c: usize,
  scratch: usize,
  packed: usize,
  overwrite: bool,
): void {
  if (VECTOR_BITS == 256) wideGemmTransA(m, n, k, a, b, c, scratch, packed != 0, overwrite);
  else narrowGemmTransA(m, n, k, a, b, c, scratch, packed, overwrite);
}
