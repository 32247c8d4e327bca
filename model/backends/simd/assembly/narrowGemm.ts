/**
 * C = A · B in the 128-bit build, in the five loops of BLIS, with the loop over the rows of A outermost. A micro-panel of
 * B, KC x NR, is packed into WebAssembly globals: V8 checks the bounds of every memory access, which costs a quarter of
 * the speed, but an access to a global has no bounds. A is not packed.
 *
 * Strides are in bytes.
 */
import { MC, MR, NC, NR } from "./blockSizes";
import { copyColumns } from "./edge";
import { panelDepth } from "./inline";
import { microKernel4x8, microKernel6x8, packB, packBTransposed } from "./microKernel";

/** `gemmColumns` of the 128-bit build. tile: scratch memory for two tiles at the right edge. */
export function narrowGemm(
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
  tile: usize,
): void {
  const lda = <usize> k * 4;
  // Blocks of about equal height: every block packs all of B, which does not pay for a few rows.
  const blocks = (m + MC - 1) / MC, mc = (m + MR * blocks - 1) / (MR * blocks) * MR;
  for (let ic: i32 = 0; ic < m; ic += mc) {
    const rows = min(mc, m - ic), ai = a + <usize> ic * lda, ci = c + <usize> ic * ldc;
    for (let jc: i32 = 0; jc < n; jc += NC) {
      const end = min(jc + NC, n);
      let p: i32 = 0;
      while (p < k) {
        const kc = panelDepth(k - p), kIter = kc >> 3, kLeft = kc & 7;
        const ap = ai + <usize> p * 4, bp = b + <usize> p * rsB;
        // The first panel adds the bias, the others what C has, and the last one the addend.
        const cIn = p ? ci : 0, addendP = addend && p + kc == k ? addend + <usize> ic * ldc : 0;
        for (let j: i32 = jc; j < end; j += NR) {
          const offset = <usize> j * 4, bj = bp + <usize> j * csB, width = min(NR, n - j);
          if (csB == 4) packB(kIter, kLeft, bj, rsB);
          else packBTransposed(kIter, kLeft, width, bj, csB);
          const biasJ = bias && !p ? bias + offset : 0, cInJ = cIn ? cIn + offset : 0;
          const addendJ = addendP ? addendP + offset : 0;
          gemmPanel(rows, width, kIter, kLeft, ap, lda, ci + offset, ldc, biasJ, cInJ, addendJ, tile);
        }
        p += kc;
      }
    }
  }
}

/** C[m, width] = A · the packed micro-panel of B (+ bias[width]) (+ cIn[m, width]) (+ addend[m, width]). */
function gemmPanel(
  m: i32,
  width: i32,
  kIter: i32,
  kLeft: i32,
  a: usize,
  lda: usize,
  c: usize,
  ldc: usize,
  bias: usize,
  cIn: usize,
  addend: usize,
  tile: usize,
): void {
  let i: i32 = 0;
  if (width == NR) {
    for (; i + MR <= m; i += MR) {
      microKernel6x8(kIter, kLeft, a, lda, c, ldc, bias, cIn, addend);
      a += lda * MR;
      c += ldc * MR;
      if (cIn) cIn += ldc * MR;
      if (addend) addend += ldc * MR;
    }
    for (; i < m; i += 4) {
      microKernel4x8(min(4, m - i), kIter, kLeft, a, lda, c, ldc, bias, cIn, addend);
      a += 4 * lda;
      c += 4 * ldc;
      if (cIn) cIn += 4 * ldc;
      if (addend) addend += 4 * ldc;
    }
    return;
  }
  const addendTile = tile + 4 * NR * 4;
  for (; i < m; i += 4) {
    const rows = min(4, m - i);
    if (cIn) copyColumns(rows, width, cIn, ldc, tile, NR * 4);
    if (addend) copyColumns(rows, width, addend, ldc, addendTile, NR * 4);
    const cInTile = cIn ? tile : 0, addendInTile = addend ? addendTile : 0;
    microKernel4x8(rows, kIter, kLeft, a, lda, tile, NR * 4, bias, cInTile, addendInTile);
    copyColumns(rows, width, tile, NR * 4, c, ldc);
    a += 4 * lda;
    c += 4 * ldc;
    if (cIn) cIn += 4 * ldc;
    if (addend) addend += 4 * ldc;
  }
}
