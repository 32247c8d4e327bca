/** C = Aᵀ · B in the 128-bit build. Strides are in bytes. */
import { MR, NC, NR, PACK_KC, PACK_MC } from "./blockSizes";
import { copyColumns } from "./edge";
import { blockDepth, panelDepth } from "./inline";
import { microKernelTransA2x8, microKernelTransA4x8, microKernelTransA6x8, packB } from "./microKernel";

/** `gemmTransA` of the 128-bit build. tile: scratch memory for a tile at the edge of C. */
export function narrowGemmTransA(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  b: usize,
  c: usize,
  tile: usize,
  packed: usize,
  overwrite: bool,
): void {
  const lda = <usize> m * 4, ldb = <usize> n * 4;
  if (!packed) return gemmTransAStrided(m, n, k, a, lda, MR * 4, b, ldb, c, ldb, tile, overwrite);
  let p: i32 = 0;
  while (p < k) {
    const kc = blockDepth(k - p, PACK_KC), bp = b + <usize> p * ldb;
    for (let i: i32 = 0; i < m; i += PACK_MC) {
      const mc = min(PACK_MC, m - i), ci = c + <usize> i * ldb;
      packA(kc, mc, a + <usize> p * lda + <usize> i * 4, lda, packed);
      gemmTransAStrided(
        mc,
        n,
        kc,
        packed,
        MR * 4,
        <usize> kc * (MR * 4),
        bp,
        ldb,
        ci,
        ldb,
        tile,
        overwrite && !p,
      );
    }
    p += kc;
  }
}

/** Packs A[k, m] into micro-panels of MR columns. */
function packA(k: i32, m: i32, a: usize, lda: usize, packed: usize): void {
  for (let i: i32 = 0; i < m; i += MR) {
    let source = a + <usize> i * 4;
    if (i + MR <= m) {
      for (let p: i32 = 0; p < k; p++) {
        v128.store(packed, v128.load(source));
        i64.store(packed, i64.load(source, 16), 16);
        packed += MR * 4;
        source += lda;
      }
    } else {
      for (let p: i32 = 0; p < k; p++) {
        for (let j: usize = 0; j < <usize> (m - i) * 4; j += 4) f32.store(packed + j, f32.load(source + j));
        packed += MR * 4;
        source += lda;
      }
    }
  }
}

/** `narrowGemmTransA` with row strides. panelStride is the distance between two panels of MR columns of A. */
function gemmTransAStrided(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: usize,
  panelStride: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  tile: usize,
  overwrite: bool,
): void {
  for (let jc: i32 = 0; jc < n; jc += NC) {
    const end = min(jc + NC, n);
    let p: i32 = 0;
    while (p < k) {
      const kc = panelDepth(k - p), kIter = kc >> 3, kLeft = kc & 7;
      const ap = a + <usize> p * lda, bp = b + <usize> p * ldb, overwriteP = overwrite && !p;
      for (let j: i32 = jc; j < end; j += NR) {
        const width = min(NR, n - j), cj = c + <usize> j * 4;
        packB(kIter, kLeft, bp + <usize> j * 4, ldb);
        gemmTransAPanel(m, width, kIter, kLeft, ap, lda, panelStride, cj, ldc, tile, overwriteP);
      }
      p += kc;
    }
  }
}

/** C[m, width] (+)= Aᵀ · the packed micro-panel of B. */
function gemmTransAPanel(
  m: i32,
  width: i32,
  kIter: i32,
  kLeft: i32,
  a: usize,
  lda: usize,
  panelStride: usize,
  c: usize,
  ldc: usize,
  tile: usize,
  overwrite: bool,
): void {
  let i: i32 = 0;
  if (width == NR) {
    for (; i + MR <= m; i += MR) {
      microKernelTransA6x8(kIter, kLeft, a, lda, c, ldc, overwrite ? 0 : c);
      a += panelStride;
      c += ldc * MR;
    }
    const rest = m - i;
    if (rest == 4) microKernelTransA4x8(kIter, kLeft, a, lda, c, ldc, overwrite ? 0 : c);
    else if (rest == 2) microKernelTransA2x8(kIter, kLeft, a, lda, c, ldc, overwrite ? 0 : c);
    if (!(rest & 1)) return;
  }
  for (; i < m; i += MR) {
    const rows = min(MR, m - i);
    const cIn = overwrite ? 0 : tile;
    if (!overwrite) copyColumns(rows, width, c, ldc, tile, NR * 4);
    if (rows > 4) microKernelTransA6x8(kIter, kLeft, a, lda, tile, NR * 4, cIn);
    else microKernelTransA4x8(kIter, kLeft, a, lda, tile, NR * 4, cIn);
    copyColumns(rows, width, tile, NR * 4, c, ldc);
    a += panelStride;
    c += ldc * MR;
  }
}
