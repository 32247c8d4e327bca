/** Copies x[m, n] to y: tiles that extend beyond the edge of C are computed in scratch memory. Strides are in bytes. */
export function copyColumns(m: i32, n: i32, x: usize, ldx: usize, y: usize, ldy: usize): void {
  for (; m > 0; m--) {
    for (let j: usize = 0; j < <usize> n * 4; j += 4) f32.store(y + j, f32.load(x + j));
    x += ldx;
    y += ldy;
  }
}
