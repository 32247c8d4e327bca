/**
 * C = A · B in the 256-bit build. Micro-panels of B are packed one by one, or read in place where their rows are
 * contiguous and close together. Each is multiplied with a block of A, which is not packed.
 *
 * Strides are in bytes.
 */
import { WIDE_DIRECT_STRIDE, WIDE_KC, WIDE_MC, WIDE_MR, WIDE_NR } from "./blockSizes";
import { copyColumns } from "./edge";
import { wideKernel4x16, wideKernel4x8, wideKernel6x16, wideKernel6x8 } from "./wideMicroKernel";
import { blockSize, packColumns, packRows, panelVectors, rowsInSixes } from "./widePacking";

/** `gemm` of the 256-bit build. */
export function wideGemm(
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
  const lda = <usize> k * 4, ldc = <usize> n * 4;
  const edge = scratch + WIDE_KC * WIDE_NR * 4, depth = blockSize(k, WIDE_KC, 4);
  const height = blockSize(m, WIDE_MC, WIDE_MR);
  for (let i: i32 = 0; i < m; i += height) {
    const mc = min(height, m - i);
    let cIn = addend;
    for (let p: i32 = 0; p < k; p += depth) {
      const kc = min(depth, k - p), ap = a + <usize> i * lda + <usize> p * 4, bp = b + <usize> p * rsB;
      for (let j: i32 = 0; j < n; j += WIDE_NR) {
        const offset = <usize> i * ldc + <usize> j * 4, vectors = panelVectors(n - j);
        const biasJ = bias && !p ? bias + <usize> j * 4 : 0, cInJ = cIn ? cIn + offset : 0, cj = c + offset;
        let panel = bp + <usize> j * csB, ldb = rsB;
        if (csB != 4 || rsB > <usize> WIDE_DIRECT_STRIDE) {
          if (csB == 4) packRows(kc, vectors, panel, rsB, scratch);
          else packColumns(kc, min(WIDE_NR, n - j), vectors, panel, csB, scratch);
          panel = scratch;
          ldb = <usize> vectors * 16;
        }
        if (n - j >= 4 * vectors) {
          gemmPanel(mc, vectors, kc, ap, lda, panel, ldb, cj, ldc, biasJ, cInJ);
        } else {
          if (cInJ) copyColumns(mc, n - j, cInJ, ldc, edge, WIDE_NR * 4);
          gemmPanel(mc, vectors, kc, ap, lda, panel, ldb, edge, WIDE_NR * 4, biasJ, cInJ ? edge : 0);
          copyColumns(mc, n - j, edge, WIDE_NR * 4, cj, ldc);
        }
      }
      cIn = c;
    }
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
  ldb: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
): void {
  const sixes = rowsInSixes(m), rest = m - sixes;
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
