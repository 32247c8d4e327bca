/** C = Aᵀ · B in the 256-bit build. Strides are in bytes. `overwrite` is beta = 0. */
import { WIDE_KC, WIDE_MC, WIDE_NC, WIDE_NR, WIDE_PACK_B_SIZE } from "./blockSizes";
import {
  wideKernelTransA4x16,
  wideKernelTransA4x8,
  wideKernelTransA6x16,
  wideKernelTransA6x8,
} from "./wideMicroKernel";
import { copyColumns } from "./edge";
import { blockDepth, panelVectors, rowsInSixes, widePackA, widePackB } from "./widePacking";

/**
 * `gemmTransA` of the 256-bit build with row strides. scratch: WIDE_SCRATCH_SIZE floats. packed: WIDE_PACK_A_SIZE floats
 * of scratch memory for packing A, or 0.
 */
export function wideGemmTransA(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: usize,
  b: usize,
  ldb: usize,
  c: usize,
  ldc: usize,
  scratch: usize,
  packed: usize,
  overwrite: bool,
): void {
  const edge = scratch + WIDE_PACK_B_SIZE * 4;
  let kc: i32 = 0;
  for (let p: i32 = 0; p < k; p += kc) {
    kc = blockDepth(k - p);
    const bp = b + <usize> p * ldb, overwriteP = overwrite && !p;
    for (let jc: i32 = 0; jc < n; jc += WIDE_NC) {
      const nc = min(WIDE_NC, n - jc);
      widePackB(kc, nc, bp + <usize> jc * 4, ldb, 4, scratch);
      for (let ic: i32 = 0; ic < m; ic += WIDE_MC) {
        const mc = min(WIDE_MC, m - ic), ai = a + <usize> p * lda + <usize> ic * 4;
        if (packed) widePackA(kc, mc, ai, lda, packed);
        let panel = scratch;
        for (let j: i32 = jc; j < jc + nc; j += WIDE_NR) {
          const cj = c + <usize> ic * ldc + <usize> j * 4, vectors = panelVectors(n - j);
          if (n - j >= 4 * vectors) {
            transAPanel(mc, vectors, kc, ai, lda, packed, panel, cj, ldc, overwriteP);
          } else {
            if (!overwriteP) copyColumns(mc, n - j, cj, ldc, edge, WIDE_NR * 4);
            transAPanel(mc, vectors, kc, ai, lda, packed, panel, edge, WIDE_NR * 4, overwriteP);
            copyColumns(mc, n - j, edge, WIDE_NR * 4, cj, ldc);
          }
          panel += <usize> kc * (WIDE_NR * 4);
        }
      }
    }
  }
}

/** C[m, 4 · vectors] (+)= Aᵀ · a micro-panel of B. */
function transAPanel(
  m: i32,
  vectors: i32,
  k: i32,
  a: usize,
  lda: usize,
  packed: usize,
  b: usize,
  c: usize,
  ldc: usize,
  overwrite: bool,
): void {
  const sixes = rowsInSixes(m), rest = m - sixes, ldb = <usize> vectors * 16;
  const depth = <usize> k;
  const a6 = packed ? packed : a, lda6: usize = packed ? 24 : lda, stride6: usize = packed ? depth * 24 : 24;
  const a4 = packed ? packed + depth * <usize> sixes * 4 : a + <usize> sixes * 4;
  const lda4: usize = packed ? 16 : lda, stride4: usize = packed ? depth * 16 : 16;
  const c4 = c + <usize> sixes * ldc, cIn = overwrite ? 0 : c, cIn4 = overwrite ? 0 : c4;
  if (vectors == WIDE_NR / 4) {
    wideKernelTransA6x16(sixes, k, a6, lda6, stride6, b, ldb, c, ldc, cIn);
    if (rest) wideKernelTransA4x16(rest, k, a4, lda4, stride4, b, ldb, c4, ldc, cIn4);
  } else {
    wideKernelTransA6x8(sixes, k, a6, lda6, stride6, b, ldb, c, ldc, cIn);
    if (rest) wideKernelTransA4x8(rest, k, a4, lda4, stride4, b, ldb, c4, ldc, cIn4);
  }
}
