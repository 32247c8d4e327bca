/**
 * The probe of 256-bit vectors: whether this process computes right and faster with them.
 *
 * @module
 */
import { PACK_SIZE, TILE_SIZE } from "./assembly/blockSizes.ts";
import { instantiate, type Kernels, loadKernels, supportedVectorBits } from "./instance.ts";
import type { VectorBits } from "./vectorFlags.ts";

/** Result of a probe. */
export interface VectorProbe {
  /** Why 256-bit vectors cannot be used; null if they can. */
  readonly fault: string | null;
  /** Time of a product with 128-bit vectors, divided by its time with 256-bit vectors. 0 with a fault. */
  readonly speedup: number;
}

/** Shape of the product: the qkv projection of the preset `mnist` for eight images. */
const M = 96, K = 64, N = 192;
/** Products in one timing, timings after which a clear result ends the probe, and what counts as clear. */
const REPETITIONS = 4, MIN_ROUNDS = 60, CLEAR_SPEEDUP = 1.2;

/** Addresses in bytes. */
const A = 1024, B = A + 4 * M * K, C = B + 4 * K * N, TILE = C + 4 * M * N, PACKED = TILE + 4 * TILE_SIZE;
const PAGES = Math.ceil((PACKED + 4 * PACK_SIZE) / 65_536);

/**
 * Compares the kernels for 256-bit vectors with known answers and with the speed of those for 128-bit vectors. The
 * process must have been started with `VECTOR_FLAGS`.
 *
 * @param now returns the milliseconds of a monotonic clock
 * @param budgetMs time limit of the comparison of speeds
 */
export function probeVectors(now: () => number, budgetMs: number): VectorProbe {
  if (supportedVectorBits(256) !== 256) return { fault: "WebAssembly's relaxed SIMD is missing", speedup: 0 };
  const wide = new Product(256), plain = new Product(128);
  const fault = wide.fault();
  if (fault !== null) return { fault, speedup: 0 };
  const start = now();
  let wideMs = Infinity, plainMs = Infinity;
  for (let round = 0; now() - start < budgetMs; round++) {
    wideMs = Math.min(wideMs, wide.time(now));
    plainMs = Math.min(plainMs, plain.time(now));
    if (round >= MIN_ROUNDS && plainMs > CLEAR_SPEEDUP * wideMs) break;
  }
  // V8 has replaced its first, unoptimised code by now.
  const laterFault = wide.fault();
  return { fault: laterFault, speedup: laterFault === null ? plainMs / wideMs : 0 };
}

/** Small whole numbers, so that sums of their products are exact in float32. */
const valueOfA = (i: number) => i % 7 - 3, valueOfB = (i: number) => i % 5 - 2;

/** A product of two matrices with the kernels of one build. */
class Product {
  readonly #kernels: Kernels;
  readonly #heap: Float32Array;

  constructor(vectorBits: VectorBits) {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    this.#kernels = instantiate(loadKernels({ vectorBits }), memory);
    this.#heap = new Float32Array(memory.buffer);
    for (let i = 0; i < M * K; i++) this.#heap[A / 4 + i] = valueOfA(i);
    for (let i = 0; i < K * N; i++) this.#heap[B / 4 + i] = valueOfB(i);
  }

  /** Computes C = A B. */
  #forward(): void {
    this.#kernels.gemm(M, N, K, A, B, 4 * N, 4, C, 0, 0, TILE);
  }

  /** Computes C = Aᵀ B, where A is stored as `[K, M]`. */
  #transposed(): void {
    this.#kernels.gemmTransA(M, N, K, A, B, C, TILE, PACKED, 1);
  }

  /** Returns why the results are wrong, or null if they are right. */
  fault(): string | null {
    const forward = () => this.#forward(), transposed = () => this.#transposed();
    for (
      const [compute, indexOfA] of [
        [forward, (row: number, k: number) => row * K + k],
        [transposed, (row: number, k: number) => k * M + row],
      ] as const
    ) {
      this.#heap.fill(NaN, C / 4, C / 4 + M * N);
      compute();
      for (let row = 0; row < M; row++) {
        for (let column = 0; column < N; column++) {
          let expected = 0;
          for (let k = 0; k < K; k++) expected += valueOfA(indexOfA(row, k)) * valueOfB(k * N + column);
          if (this.#heap[C / 4 + row * N + column] === expected) continue;
          return "the kernels for 256-bit vectors gave a wrong product";
        }
      }
    }
    return null;
  }

  /** Returns the milliseconds of a product. */
  time(now: () => number): number {
    const start = now();
    for (let i = 0; i < REPETITIONS; i++) this.#forward();
    return (now() - start) / REPETITIONS;
  }
}
