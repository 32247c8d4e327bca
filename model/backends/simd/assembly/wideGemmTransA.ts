/**
 * C = Aᵀ · B in the 256-bit build. A block of B is packed, or read in place where its rows are close together. It is
 * multiplied with the columns of A for one tile after the other, which computes C by rows.
 *
 * Strides are in bytes.
 */
import { K_UNROLL, WIDE_DIRECT_STRIDE, WIDE_KC, WIDE_MR, WIDE_NR, WIDE_PACK_SIZE } from "./blockSizes";
import { copyColumns } from "./edge";
import { blockDepth } from "./inline";
import {
  wideKernelTransA4x16,
  wideKernelTransA4x8,
  wideKernelTransA6x16,
  wideKernelTransA6x8,
} from "./wideMicroKernel";
import { blockSize, packBlock, packColumnsOfA, panelBlock, panelVectors, rowsInSixes } from "./widePacking";

/** `gemmTransA` of the 256-bit build. packsA: whether the columns of A for a tile are packed. */
export function wideGemmTransA(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  b: usize,
  c: usize,
  scratch: usize,
  packsA: bool,
  overwrite: bool,
): void {
  const lda = <usize> m * 4, ldb = <usize> n * 4, ldc = ldb;
  const columnsOfA = scratch + WIDE_PACK_SIZE * 4, edge = columnsOfA + (WIDE_KC + K_UNROLL) * WIDE_MR * 4;
  const depth = panelBlock(k), maxWidth = WIDE_PACK_SIZE / (depth + K_UNROLL) & -WIDE_NR;
  const width = blockSize(n, maxWidth, WIDE_NR);
  const packsB = ldb > <usize> WIDE_DIRECT_STRIDE, sixes = rowsInSixes(m);
  for (let jc: i32 = 0; jc < n; jc += width) {
    const nc = min(width, n - jc);
    let p: i32 = 0;
    while (p < k) {
      const kc = blockDepth(k - p, depth), ap = a + <usize> p * lda, overwriteP = overwrite && !p;
      let block = b + <usize> p * ldb + <usize> jc * 4, ldBlock = ldb, panelStride: usize = WIDE_NR * 4;
      if (packsB) {
        packBlock(kc, nc, block, ldb, 4, scratch);
        block = scratch;
        ldBlock = WIDE_NR * 4;
        panelStride *= kc;
      }
      let rows: i32 = 0;
      for (let i: i32 = 0; i < m; i += rows) {
        rows = min(i < sixes ? 6 : 4, m - i);
        let ai = ap + <usize> i * 4, ldai = lda;
        if (packsA) {
          packColumnsOfA(kc, ai, lda, columnsOfA);
          ai = columnsOfA;
          ldai = WIDE_MR * 4;
        }
        const ci = c + <usize> i * ldc + <usize> jc * 4;
        tileRow(rows, nc, kc, ai, ldai, block, ldBlock, panelStride, ci, ldc, edge, overwriteP);
      }
      p += kc;
    }
  }
}

/** C[m, n] (+)= Aᵀ · B for the rows of one tile, with the last panel in `edge` where C has no room for it. */
function tileRow(
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
  edge: usize,
  overwrite: bool,
): void {
  const panels = n / WIDE_NR, rest = n % WIDE_NR;
  tiles(m, WIDE_NR / 4, panels, k, a, lda, b, ldb, panelStride, c, ldc, overwrite ? 0 : c);
  if (!rest) return;
  const vectors = panelVectors(rest), isEdge = rest != 4 * vectors, last = b + <usize> panels * panelStride;
  c += <usize> panels * (WIDE_NR * 4);
  const out = isEdge ? edge : c, ldOut: usize = isEdge ? <usize> WIDE_NR * 4 : ldc;
  if (isEdge && !overwrite) copyColumns(m, rest, c, ldc, edge, ldOut);
  tiles(m, vectors, 1, k, a, lda, last, ldb, 0, out, ldOut, overwrite ? 0 : out);
  if (isEdge) copyColumns(m, rest, edge, ldOut, c, ldc);
}

/** The micro-kernel for m rows and `panels` panels of `vectors` vectors. */
function tiles(
  m: i32,
  vectors: i32,
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
): void {
  if (vectors == WIDE_NR / 4) {
    if (m > 4) wideKernelTransA6x16(m, panels, k, a, lda, b, ldb, panelStride, c, ldc, cIn);
    else wideKernelTransA4x16(m, panels, k, a, lda, b, ldb, panelStride, c, ldc, cIn);
  } else {
    if (m > 4) wideKernelTransA6x8(m, panels, k, a, lda, b, ldb, panelStride, c, ldc, cIn);
    else wideKernelTransA4x8(m, panels, k, a, lda, b, ldb, panelStride, c, ldc, cIn);
  }
}
