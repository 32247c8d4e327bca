/**
 * Fixed positions: sines and cosines of a patch's number (Vaswani et al. 2017, section 3.5) or of its column and row
 * (He et al. 2022), or a table that a checkpoint contains.
 *
 * @module
 */
import { type MaeConfig, numPatches, numTokens } from "./config.ts";

/** Names of the tables in a `state_dict`. */
export const ENCODER_TABLE = "encoder.pos_embed.pe", DECODER_TABLE = "decoder.decoder_pos_embed.pe";

/** The positions of a model: a row for the class token, if there is one, then a row for each patch. */
export interface PositionTables {
  /** `[T, embedDim]`. */
  readonly encoder: Float32Array;
  /** `[T, decoderEmbedDim]`. */
  readonly decoder: Float32Array;
}

/** Maximum number of cached tables. A model needs two. */
const MAX_TABLES = 16;
const tables = new Map<string, Float32Array<ArrayBuffer>>();

/** Returns a table of the cache, which `compute` adds if it is new. */
function cached(key: string, compute: () => Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  let table = tables.get(key);
  if (!table) {
    if (tables.size === MAX_TABLES) tables.clear();
    tables.set(key, table = compute());
  }
  return table;
}

/**
 * Returns the table of one-dimensional positions: column 2i is `sin(p · 10000^(-2i/dim))`, column 2i + 1 the cosine.
 * Frequencies and angles are rounded to float32 like PyTorch's, so that both tables agree.
 *
 * @param patches number of positions N
 * @param dim width, even
 * @returns `[N, dim]`; the array is cached, so do not write to it
 *
 * @example
 * ```ts
 * import { sinusoidalPositions } from "./positions.ts";
 *
 * const table = sinusoidalPositions(49, 64);
 * console.log(table.length, table[0], table[1]); // 3136 0 1
 * ```
 */
export function sinusoidalPositions(patches: number, dim: number): Float32Array<ArrayBuffer> {
  return cached(`${patches}x${dim}`, () => {
    const table = new Float32Array(patches * dim);
    const factor = Math.fround(-Math.log(10000) / dim);
    for (let i = 0; i < dim; i += 2) {
      const frequency = Math.fround(Math.exp(Math.fround(i * factor)));
      for (let p = 0; p < patches; p++) {
        const angle = Math.fround(p * frequency);
        table[p * dim + i] = Math.sin(angle);
        table[p * dim + i + 1] = Math.cos(angle);
      }
    }
    return table;
  });
}

/**
 * Returns the table of two-dimensional positions of He et al. 2022. A row has four quarters: sines and cosines of the
 * patch's column, then sines and cosines of its row. Value k of a quarter has the frequency `10000^(-k / (dim/4))`.
 *
 * @param side patches in a row of the image
 * @param dim width, a multiple of 4
 * @returns `[side², dim]`, row by row; the array is cached, so do not write to it
 *
 * @example
 * ```ts
 * import { gridPositions } from "./positions.ts";
 *
 * const table = gridPositions(14, 768);
 * console.log(table.subarray(768, 770)); // column 1 of row 0: sin(1), sin(0.953)
 * ```
 */
export function gridPositions(side: number, dim: number): Float32Array<ArrayBuffer> {
  return cached(`${side}²x${dim}`, () => {
    const table = new Float32Array(side * side * dim), quarter = dim / 4;
    for (let p = 0; p < side * side; p++) {
      const column = p % side, row = Math.floor(p / side), start = p * dim;
      for (let k = 0; k < quarter; k++) {
        const frequency = 1 / 10000 ** (k / quarter);
        table[start + k] = Math.sin(column * frequency);
        table[start + quarter + k] = Math.cos(column * frequency);
        table[start + 2 * quarter + k] = Math.sin(row * frequency);
        table[start + 3 * quarter + k] = Math.cos(row * frequency);
      }
    }
    return table;
  });
}

/**
 * Computes the positions of a model. The row of a class token is zero.
 *
 * @throws {RangeError} for the positions `stored`, which only a checkpoint has
 *
 * @example
 * ```ts
 * import { completeConfig } from "./config.ts";
 * import { positionTables } from "./positions.ts";
 *
 * const tables = positionTables(completeConfig({ clsToken: true, positions: "sincos_2d" }));
 * console.log(tables.encoder.length); // (1 + 49) x 64 = 3200
 * ```
 */
export function positionTables(config: MaeConfig): PositionTables {
  const { positions, clsToken, embedDim, decoderEmbedDim } = config;
  if (positions === "stored") throw new RangeError("The positions `stored` are in the file of a checkpoint");
  const patches = numPatches(config);
  const ofPatches = (dim: number) =>
    positions === "sincos_2d" ? gridPositions(Math.sqrt(patches), dim) : sinusoidalPositions(patches, dim);
  const table = (dim: number) =>
    clsToken ? withZeroRow(`${positions} ${patches}`, ofPatches(dim), dim) : ofPatches(dim);
  return { encoder: table(embedDim), decoder: table(decoderEmbedDim) };
}

/** Returns a table after a row of zeros. */
function withZeroRow(key: string, table: Float32Array, dim: number): Float32Array<ArrayBuffer> {
  return cached(`${key} ${dim} after zeros`, () => {
    const extended = new Float32Array(dim + table.length);
    extended.set(table, dim);
    return extended;
  });
}

/**
 * Returns the positions of a model: those among its weights for the positions `stored`, else computed ones. Of a model
 * without a decoder, or of a head alone, the tables that are not among the weights are empty.
 *
 * @throws {RangeError} when a stored table has another size
 */
export function tablesOf(
  config: MaeConfig,
  weights: ReadonlyMap<string, { readonly data: Float32Array }>,
): PositionTables {
  if (config.positions !== "stored") return positionTables(config);
  const stored = (name: string, dim: number) => {
    const table = weights.get(name)?.data ?? new Float32Array(0), size = numTokens(config) * dim;
    if (table.length === 0 || table.length === size) return table;
    throw new RangeError(`The positions '${name}' have ${table.length} values instead of ${size}`);
  };
  return {
    encoder: stored(ENCODER_TABLE, config.embedDim),
    decoder: stored(DECODER_TABLE, config.decoderEmbedDim),
  };
}
