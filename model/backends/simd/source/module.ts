/**
 * The kernels' source in AssemblyScript. Addresses are in bytes, sizes in values, everything is float32 unless it
 * says otherwise; rows lie one behind the other.
 *
 * @module
 */
import { ADAMW } from "./adamw.ts";
import { attention } from "./attention.ts";
import { constants } from "./constants.ts";
import { LAYER_NORM } from "./layerNorm.ts";
import { products } from "./products.ts";
import { rowKernels } from "./rows.ts";
import { lines } from "./write.ts";

/** The whole module. @param relaxed with fused multiply-add (the relaxed SIMD proposal) */
export function kernelSource(relaxed: boolean): string {
  return lines(constants(), products(relaxed), attention(relaxed), rowKernels(relaxed), LAYER_NORM, ADAMW);
}
