/**
 * Block sizes of the matrix products, with the names of BLIS (Van Zee and van de Geijn 2015). AssemblyScript and
 * TypeScript both compile this file.
 *
 * @module
 */

/** Rows of a tile of C: 12 sums, 2 vectors of B and one of A fill 15 of the 16 registers. */
export const MR = 6;

/** Columns of a tile of C: two vectors. */
export const NR = 8;

/** Steps of the sum that a micro-kernel runs without a branch. */
export const K_UNROLL = 8;

/**
 * Steps of a partial sum of a product, in either build, and of a packed panel of B. The last panel has up to
 * `K_UNROLL - 1` more.
 */
export const KC = 64;

/** Rows of a partial sum of rows. */
export const SUM_ROWS = 64;

/** Maximum number of rows of A in a block, a multiple of `MR`: the block stays in the second-level cache. */
export const MC = 102;

/** Columns of B and C in a block: two cache lines. */
export const NC = 32;

/** Rows and columns of a packed block of A for C = Aᵀ · B: the block stays in the second-level cache. Whole panels of `KC`. */
export const PACK_KC = 256;
/** See {@linkcode PACK_KC}; a multiple of `MR`. */
export const PACK_MC = 96;

/** Width from which C = Aᵀ · B is faster with A packed, as measured. */
export const PACK_MIN_WIDTH = 256;

/** Rows of a tile of C in the 256-bit build: 12 sums, 2 vectors of B and one of A fill 15 of the 16 registers. */
export const WIDE_MR = 6;

/** Columns of a tile of C in the 256-bit build: two pairs of vectors. */
export const WIDE_NR = 16;

/**
 * Steps of the sum in a micro-panel of B, which stays in the first-level cache: at most this, a multiple of `KC`. The last
 * one has up to `K_UNROLL - 1` more.
 */
export const WIDE_KC = 256;

/** Maximum number of rows of A in a block, a multiple of `WIDE_MR`: the block stays in the second-level cache. */
export const WIDE_MC = 396;

/** Columns of B that are packed together: several cache lines of a row. */
export const WIDE_NC = 64;

/** Maximum number of floats in a packed block of B for C = Aᵀ · B: the block stays in the second-level cache. */
export const WIDE_PACK_SIZE = 60 * 1024;

/** Row stride in bytes up to which the rows of B are read in place: they do not evict each other from the cache. */
export const WIDE_DIRECT_STRIDE = 512;

/** Floats of scratch memory for a matrix product, in either build. */
export const TILE_SIZE = WIDE_PACK_SIZE + (WIDE_KC + K_UNROLL) * WIDE_MR + WIDE_MR * WIDE_NR;

/** Floats of scratch memory for a packed block of A in the 128-bit build. */
export const PACK_SIZE = (PACK_KC + K_UNROLL) * PACK_MC;

/** Lanes of an element in the compact layout (`codegen/compactKernel.ts`). */
export const LANES = 8;

/** Rows of a tile of two columns in the compact layout: 12 sums, 2 elements of B and one of A fill 15 of 16 registers. */
export const COMPACT_ROWS = 6;

/** Steps of a sum in the compact layout for which a panel of A and one of B stay in the first-level cache. */
export const COMPACT_KC = 64;
