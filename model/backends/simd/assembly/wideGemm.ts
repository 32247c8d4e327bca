/**
 * C = A · B in the 256-bit build, in the five loops of BLIS. A block of B is packed, or read in place where its rows are
 * contiguous and close together. A is not packed.
 *
 * Strides are in bytes.
 */
import { K_UNROLL, WIDE_DIRECT_STRIDE, WIDE_KC, WIDE_MC, WIDE_MR, WIDE_NC, WIDE_NR } from "./blockSizes";
import { copyColumns } from "./edge";
import { blockDepth } from "./inline";
import { wideKernel4x16, wideKernel4x8, wideKernel6x16, wideKernel6x8 } from "./wideMicroKernel";
import { blockSize, packBlock, panelBlock, panelVectors, rowsInSixes } from "./widePacking";

/** `gemmColumns` of the 256-bit build. */
export function wideGemm(
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
  const lda = <usize> k * 4, packs = csB != 4 || rsB > <usize> WIDE_DIRECT_STRIDE;
  const edge = scratch + (WIDE_KC + K_UNROLL) * WIDE_NC * 4, depth = panelBlock(k);
  const height = blockSize(m, WIDE_MC, WIDE_MR);
  for (let i: i32 = 0; i < m; i += height) {
    const mc = min(height, m - i), ai = a + <usize> i * lda, addendI = addend ? addend + <usize> i * ldc : 0;
    let p: i32 = 0;
    while (p < k) {
      const kc = blockDepth(k - p, depth), ap = ai + <usize> p * 4, isLast = p + kc == k;
      for (let j: i32 = 0; j < n; j += WIDE_NC) {
        const nc = min(WIDE_NC, n - j), offset = <usize> j * 4, cj = c + <usize> i * ldc + offset;
        let block = b + <usize> p * rsB + <usize> j * csB, ldb = rsB, panelStride: usize = WIDE_NR * 4;
        if (packs) {
          packBlock(kc, nc, block, rsB, csB, scratch);
          block = scratch;
          ldb = WIDE_NR * 4;
          panelStride *= kc;
        }
        const biasJ = bias && !p ? bias + offset : 0, cIn = p ? cj : 0;
        const addendJ = addendI && isLast ? addendI + offset : 0;
        multiplyBlock(mc, nc, kc, ap, lda, block, ldb, panelStride, cj, ldc, biasJ, cIn, addendJ, edge);
      }
      p += kc;
    }
  }
}

/** C[m, n] = A · B (+ bias) (+ cIn) (+ addend), with the last panel in `edge` where C has no room for it. */
function multiplyBlock(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  panelStride: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
  addend: usize,
  edge: usize,
): void {
  for (; n > 0; n -= WIDE_NR) {
    const vectors = panelVectors(n);
    if (n >= 4 * vectors) {
      gemmPanel(m, vectors, k, a, lda, b, ldb, c, ldc, bias, cIn, addend);
    } else {
      const edgeAddend = edge + WIDE_MC * WIDE_NR * 4;
      if (cIn) copyColumns(m, n, cIn, ldc, edge, WIDE_NR * 4);
      if (addend) copyColumns(m, n, addend, ldc, edgeAddend, WIDE_NR * 4);
      gemmPanel(
        m,
        vectors,
        k,
        a,
        lda,
        b,
        ldb,
        edge,
        WIDE_NR * 4,
        bias,
        cIn ? edge : 0,
        addend ? edgeAddend : 0,
      );
      copyColumns(m, n, edge, WIDE_NR * 4, c, ldc);
    }
    b += panelStride;
    c += WIDE_NR * 4;
    if (bias) bias += WIDE_NR * 4;
    if (cIn) cIn += WIDE_NR * 4;
    if (addend) addend += WIDE_NR * 4;
  }
}

/** C[m, 4 · vectors] = A · a micro-panel of B (+ bias) (+ cIn) (+ addend). */
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
  addend: usize,
): void {
  const sixes = rowsInSixes(m), rest = m - sixes;
  const a4 = a + <usize> sixes * lda,
    c4 = c + <usize> sixes * ldc,
    cIn4 = cIn ? cIn + <usize> sixes * ldc : 0,
    addend4 = addend ? addend + <usize> sixes * ldc : 0;
  if (vectors == WIDE_NR / 4) {
    wideKernel6x16(sixes, k, a, lda, b, ldb, c, ldc, bias, cIn, addend);
    if (rest) wideKernel4x16(rest, k, a4, lda, b, ldb, c4, ldc, bias, cIn4, addend4);
  } else {
    wideKernel6x8(sixes, k, a, lda, b, ldb, c, ldc, bias, cIn, addend);
    if (rest) wideKernel4x8(rest, k, a4, lda, b, ldb, c4, ldc, bias, cIn4, addend4);
  }
}
