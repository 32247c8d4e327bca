/**
 * Recognises position tables that can be computed.
 *
 * @module
 */
import type { MaeConfig } from "../config.ts";
import { positionTables } from "../positions.ts";
import type { HostTensor } from "../weights.ts";

/** How far a stored table may differ from the computed one. */
export const TABLE_TOLERANCE = 1e-5;

/** Returns how far a computed table may be from itself in a file: values up to 1 are rounded by 2^-12 in F16, 2^-9 in BF16. */
export function roundedTolerance(dtype: string): number {
  return dtype === "F16" ? 2 ** -11 : dtype === "BF16" ? 2 ** -8 : TABLE_TOLERANCE;
}

/** The stored tables of a model. Only an MAE has a decoder. */
export interface StoredTables {
  readonly encoder: HostTensor;
  readonly decoder?: HostTensor;
}

/**
 * Returns the kind of positions whose computed tables are the stored ones, or `stored` when there is none.
 *
 * @param given the kind to prefer if several are the same, as they can be for one patch
 */
export function positionKind(
  config: MaeConfig,
  stored: StoredTables,
  given: MaeConfig["positions"] = "stored",
  tolerance = TABLE_TOLERANCE,
): MaeConfig["positions"] {
  const widths = stored.decoder ? [config.embedDim, config.decoderEmbedDim] : [config.embedDim];
  for (const positions of [given, "sincos_2d", "sincos_1d"] as const) {
    if (positions === "stored") continue;
    if (positions === "sincos_2d" && widths.some((width) => width % 4 !== 0)) continue;
    const computed = positionTables({ ...config, positions });
    if (!isClose(stored.encoder.data, computed.encoder, tolerance)) continue;
    if (stored.decoder && !isClose(stored.decoder.data, computed.decoder, tolerance)) continue;
    return positions;
  }
  return "stored";
}

function isClose(stored: Float32Array, computed: Float32Array, tolerance: number): boolean {
  return stored.length === computed.length &&
    stored.every((value, i) => Math.abs(value - computed[i]) <= tolerance);
}
