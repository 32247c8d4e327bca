/**
 * C = A · B in the 256-bit build, in the five loops of BLIS. Blocks of B are packed into micro-panels of WIDE_NR columns
 * in scratch memory; A is not packed.
 *
 * Strides are in bytes. An absent bias or addend is 0.
 */
import { WIDE_KC, WIDE_MC, WIDE_NC, WIDE_NR, WIDE_PACK_B_SIZE } from "./blockSizes";
import { wideKernel4x16, wideKernel4x8, wideKernel6x16, wideKernel6x8 } from "./wideMicroKernel";
import { copyColumns } from "./edge";
import { blockDepth, panelVectors, rowsInSixes, widePackB } from "./widePacking";

/** `gemmStrided` of the 256-bit build. scratch: WIDE_SCRATCH_SIZE floats. */
export function wideGemm(
  m: i32,
  n: i32,
  paddedN: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  rsB: usize,
  csB: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  addend: usize,
  scratch: usize,
): void {
  const edge = scratch + WIDE_PACK_B_SIZE * 4;
  let cIn = addend, kc: i32 = 0;
  for (let p: i32 = 0; p < k; p += kc) {
    kc = blockDepth(k - p);
    const ap = a + <usize> p * 4, bp = b + <usize> p * rsB;
    for (let jc: i32 = 0; jc < n; jc += WIDE_NC) {
      const nc = min(WIDE_NC, n - jc);
      widePackB(kc, nc, bp + <usize> jc * csB, rsB, csB, scratch);
      for (let ic: i32 = 0; ic < m; ic += WIDE_MC) {
        const mc = min(WIDE_MC, m - ic), ai = ap + <usize> ic * lda;
        let panel = scratch;
        for (let j: i32 = jc; j < jc + nc; j += WIDE_NR) {
          const offset = <usize> ic * ldc + <usize> j * 4, vectors = panelVectors(n - j);
          const biasJ = bias && !p ? bias + <usize> j * 4 : 0, cInJ = cIn ? cIn + offset : 0, cj = c + offset;
          if (paddedN - j >= 4 * vectors) {
            gemmPanel(mc, vectors, kc, ai, lda, panel, cj, ldc, biasJ, cInJ);
          } else {
            if (cInJ) copyColumns(mc, n - j, cInJ, ldc, edge, WIDE_NR * 4);
            gemmPanel(mc, vectors, kc, ai, lda, panel, edge, WIDE_NR * 4, biasJ, cInJ ? edge : 0);
            copyColumns(mc, n - j, edge, WIDE_NR * 4, cj, ldc);
          }
          panel += <usize> kc * (WIDE_NR * 4);
        }
      }
    }
    cIn = c;
  }
}

/** C[m, 4 · vectors] = A · a micro-panel of B (+ bias) (+ cIn). */
function gemmPanel(
  m: i32,
  vectors: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
): void {
  const sixes = rowsInSixes(m), rest = m - sixes, ldb = <usize> vectors * 16;
  const a4 = a + <usize> sixes * lda,
    c4 = c + <usize> sixes * ldc,
    cIn4 = cIn ? cIn + <usize> sixes * ldc : 0;
  if (vectors == WIDE_NR / 4) {
    wideKernel6x16(sixes, k, a, lda, b, ldb, c, ldc, bias, cIn);
    if (rest) wideKernel4x16(rest, k, a4, lda, b, ldb, c4, ldc, bias, cIn4);
  } else {
    wideKernel6x8(sixes, k, a, lda, b, ldb, c, ldc, bias, cIn);
    if (rest) wideKernel4x8(rest, k, a4, lda, b, ldb, c4, ldc, bias, cIn4);
  }
}
