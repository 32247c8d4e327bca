/**
 * The position tables of a training that starts from a checkpoint.
 *
 * @module
 */
import { type MaeConfig, numPatches } from "../config.ts";
import { type PositionTables, positionTables, tablesOf } from "../positions.ts";
import type { Architecture, HostWeights } from "../weights.ts";
import { interpolateGrid } from "./bicubic.ts";

/** A model: its configuration and what it consists of. */
export interface ModelShape {
  readonly config: MaeConfig;
  readonly architecture: Architecture;
}

/** The model of a checkpoint, with the tensors of its file. */
export interface SourceModel extends ModelShape {
  readonly weights: HostWeights;
}

/**
 * Returns the positions of a model that starts from a checkpoint. For another image size, those of the checkpoint are
 * interpolated as in `interpolate_pos_embed` of He et al.'s code, sines and cosines too; the row of a class token is kept.
 * A new decoder has sines and cosines.
 *
 * @example
 * ```ts
 * import { PRESETS } from "../presets.ts";
 * import { initialWeights, parameterSpecs } from "../weights.ts";
 * import { adaptConfig } from "./adaptConfig.ts";
 * import { adaptTables } from "./adaptTables.ts";
 *
 * const config = PRESETS.mnist, architecture = { model: "mae" } as const;
 * const weights = initialWeights(parameterSpecs(config, architecture), 0);
 * const adapted = adaptConfig({ config, model: "mae" }, "mae", { imageSize: 32 }).config;
 * const { encoder } = adaptTables({ config, architecture, weights }, { config: adapted, architecture });
 * console.log(encoder.length); // 64 x 64 = 4096
 * ```
 */
export function adaptTables(source: SourceModel, { config, architecture }: ModelShape): PositionTables {
  if (config.positions !== "stored") return positionTables(config);
  const { config: from } = source, tables = tablesOf(from, source.weights);
  const encoder = resizeTable(tables.encoder, from, config, config.embedDim);
  if (architecture.model !== "mae") return { encoder, decoder: new Float32Array(0) };
  if (source.architecture.model !== "mae") return { encoder, decoder: newDecoderTable(config) };
  return { encoder, decoder: resizeTable(tables.decoder, from, config, config.decoderEmbedDim) };
}

/** Interpolates a table for another number of patches. @param table `[T, dim]` */
function resizeTable(table: Float32Array, from: MaeConfig, to: MaeConfig, dim: number): Float32Array {
  const [before, after] = [from, to].map((config) => Math.sqrt(numPatches(config)));
  if (before === after) return table;
  const first = from.clsToken ? dim : 0;
  const grid = interpolateGrid(table.subarray(first), before, after, dim);
  const resized = new Float32Array(first + grid.length);
  resized.set(table.subarray(0, first));
  resized.set(grid, first);
  return resized;
}

/** Returns the positions of a decoder that the checkpoint does not have. */
function newDecoderTable(config: MaeConfig): Float32Array {
  const { decoderEmbedDim } = config;
  const positions = decoderEmbedDim % 4 === 0 ? "sincos_2d" : "sincos_1d";
  return positionTables({ ...config, positions, embedDim: decoderEmbedDim }).decoder;
}
