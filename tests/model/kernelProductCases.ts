/**
 * Calls of the matrix products with random sizes, and their results by definition, in float64.
 *
 * @module
 */
import { PACK_SIZE, TILE_SIZE } from "../../model/backends/simd/assembly/blockSizes.ts";
import { type Draw, input, type KernelCase, matrix, result, scratch, sum } from "./kernelCase.ts";

/** C = A · B for the columns from `first` on of a wider C. */
function product(name: "gemm" | "gemmColumns", draw: Draw): KernelCase {
  const m = draw.size(120), n = draw.size(140), k = draw.size(300);
  const first = name === "gemm" ? 0 : draw.below(20),
    width = name === "gemm" ? n : first + n + draw.below(20);
  const byRows = draw.below(2) === 0, [hasBias, hasAddend] = [draw.below(2), draw.below(2)];
  const a = draw.values(m * k), b = draw.values(k * width), c = draw.values(m * width);
  const bias = draw.values(width), addend = draw.values(m * width);
  const strides = byRows ? [4 * width, 4] : [4, 4 * k];
  const elementOfB = (p: number, j: number) => byRows ? b[p * width + j] : b[j * k + p];
  return {
    sizes:
      `${m}x${n}x${k}, first column ${first} of ${width}, byRows ${byRows}, bias ${hasBias}, addend ${hasAddend}`,
    buffers: {
      a: input(a),
      b: input(b),
      bias: input(bias),
      addend: input(addend),
      c: result(c),
      tile: scratch(TILE_SIZE),
    },
    calls: (at) => [[
      name,
      ...[m, n, k, at.a, at.b + first * strides[1], ...strides, at.c + 4 * first],
      ...(name === "gemm" ? [] : [4 * width]),
      ...[hasBias && at.bias + 4 * first, hasAddend && at.addend + 4 * first, at.tile],
    ]],
    expected: {
      c: matrix(m, width, (i, j) => {
        if (j < first || j >= first + n) return c[i * width + j];
        const initial = (hasBias ? bias[j] : 0) + (hasAddend ? addend[i * width + j] : 0);
        return initial + sum(k, (p) => a[i * k + p] * elementOfB(p, j));
      }),
    },
  };
}

/** Cases of the matrix products. */
export const productCases = {
  gemm: (draw: Draw) => product("gemm", draw),
  gemmColumns: (draw: Draw) => product("gemmColumns", draw),
  gemmTransA(draw: Draw): KernelCase {
    const m = draw.size(120), n = draw.size(300), k = draw.size(300);
    const overwrite = draw.below(2), packs = draw.below(2);
    const a = draw.values(k * m), b = draw.values(k * n), c = draw.values(m * n);
    return {
      sizes: `${m}x${n}x${k}, overwrite ${overwrite}, packs ${packs}`,
      buffers: {
        ...{ a: input(a), b: input(b), c: result(c) },
        ...{ tile: scratch(TILE_SIZE), packed: scratch(PACK_SIZE) },
      },
      calls: (at) => [["gemmTransA", m, n, k, at.a, at.b, at.c, at.tile, packs && at.packed, overwrite]],
      expected: {
        c: matrix(
          m,
          n,
          (i, j) => (overwrite ? 0 : c[i * n + j]) + sum(k, (p) => a[p * m + i] * b[p * n + j]),
        ),
      },
    };
  },
};
