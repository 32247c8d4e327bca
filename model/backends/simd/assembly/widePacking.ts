/** Block sizes and packing of the products in the 256-bit build. Strides are in bytes. */
import { K_UNROLL, KC, WIDE_KC, WIDE_NR } from "./blockSizes";

/** Size of the blocks that `total` is divided into: about equal, at most `limit`, and a multiple of `unit`. */
export function blockSize(total: i32, limit: i32, unit: i32): i32 {
  const blocks = (total + limit - 1) / limit;
  return (total + blocks * unit - 1) / (blocks * unit) * unit;
}

/** Steps of the blocks that k is divided into: whole panels, at most WIDE_KC. */
export function panelBlock(k: i32): i32 {
  // The last panel has up to K_UNROLL - 1 steps more.
  return blockSize(max(KC, k - K_UNROLL + 1), WIDE_KC, KC);
}

/** Vectors in a row of the micro-panel for the next columns when `n` remain: 2 where these hold them. */
export function panelVectors(n: i32): i32 {
  return n > WIDE_NR / 2 ? WIDE_NR / 4 : WIDE_NR / 8;
}

/** Rows of m that tiles of 6 compute; tiles of 4 compute the others, because they waste fewer rows. */
export function rowsInSixes(m: i32): i32 {
  const rest = m % 6;
  if (!rest || rest == 5) return m;
  return max(0, m - rest - (rest < 3 ? 6 : 0));
}

/** Packs B[k, n] by micro-panels. One of the strides is 4. Up to 60 bytes after the last row are read. */
export function packBlock(k: i32, n: i32, b: usize, rsB: usize, csB: usize, packed: usize): void {
  for (; n > 0; n -= WIDE_NR) {
    if (csB == 4) packRows(k, b, rsB, packed);
    else packColumns(k, min(WIDE_NR, n), b, csB, packed);
    b += WIDE_NR * csB;
    packed += <usize> k * (WIDE_NR * 4);
  }
}

/** Packs WIDE_NR columns of B whose rows are contiguous. */
function packRows(k: i32, b: usize, rsB: usize, packed: usize): void {
  for (; k > 0; k--) {
    const v0 = v128.load(b), v1 = v128.load(b, 16), v2 = v128.load(b, 32), v3 = v128.load(b, 48);
    v128.store(packed, v0);
    v128.store(packed, v1, 16);
    v128.store(packed, v2, 32);
    v128.store(packed, v3, 48);
    packed += WIDE_NR * 4;
    b += rsB;
  }
}

/** Packs WIDE_NR columns of B, each contiguous. Those from `width` on repeat the last one. */
function packColumns(k: i32, width: i32, b: usize, csB: usize, packed: usize): void {
  const row: usize = WIDE_NR * 4, last = b + <usize> (width - 1) * csB;
  for (let j: i32 = 0; j < WIDE_NR; j += 4) {
    let b0 = min(b + <usize> j * csB, last);
    let b1 = min(b0 + csB, last), b2 = min(b1 + csB, last), b3 = min(b2 + csB, last);
    let out = packed + <usize> j * 4, p = k;
    for (; p >= 4; p -= 4) {
      const l0 = v128.load(b0), l1 = v128.load(b1), l2 = v128.load(b2), l3 = v128.load(b3);
      const t0 = v128.shuffle<f32>(l0, l1, 0, 4, 1, 5), t1 = v128.shuffle<f32>(l2, l3, 0, 4, 1, 5);
      const t2 = v128.shuffle<f32>(l0, l1, 2, 6, 3, 7), t3 = v128.shuffle<f32>(l2, l3, 2, 6, 3, 7);
      v128.store(out, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
      out += row;
      v128.store(out, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
      out += row;
      v128.store(out, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
      out += row;
      v128.store(out, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
      out += row;
      b0 += 16;
      b1 += 16;
      b2 += 16;
      b3 += 16;
    }
    for (; p > 0; p--) {
      f32.store(out, f32.load(b0));
      f32.store(out, f32.load(b1), 4);
      f32.store(out, f32.load(b2), 8);
      f32.store(out, f32.load(b3), 12);
      out += row;
      b0 += 4;
      b1 += 4;
      b2 += 4;
      b3 += 4;
    }
  }
}

/** Packs 6 columns of A[k, …]. Up to 20 bytes after its last row are read. */
export function packColumnsOfA(k: i32, a: usize, lda: usize, packed: usize): void {
  for (; k > 0; k--) {
    v128.store(packed, v128.load(a));
    i64.store(packed, i64.load(a, 16), 16);
    packed += 24;
    a += lda;
  }
}
