/**
 * Colours for maps of numbers.
 *
 * @module
 */

/**
 * 33 of the 256 colours of viridis, at equal distances (Stéfan van der Walt and Nathaniel Smith, 2015; CC0). Equal
 * differences of the value look equally large, also in grey and to people with impaired colour vision.
 */
const VIRIDIS = Uint8Array.fromHex(
  "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d" +
    "2f6b8e2c728e297a8e26828e23898e21918c1f988b1fa08822a78528ae8032b67a" +
    "3fbc734ec36b5ec96270cf5784d44b98d83eaddc30c2df23d8e219ece51bfde725",
);
const INTERVALS = VIRIDIS.length / 3 - 1;

/**
 * Returns the colour of a value, from dark violet for 0 to yellow for 1. Values outside are clipped.
 *
 * @returns red, green and blue, 0 to 255
 * @example
 * ```ts
 * import { viridis } from "./colourMap.ts";
 *
 * console.log(viridis(0), viridis(1)); // 68, 1, 84 and 253, 231, 37
 * ```
 */
export function viridis(value: number): [red: number, green: number, blue: number] {
  const position = Math.min(1, Math.max(0, value)) * INTERVALS;
  const low = Math.min(INTERVALS - 1, Math.floor(position)), share = position - low;
  const channel = (c: number) =>
    Math.round(VIRIDIS[3 * low + c] * (1 - share) + VIRIDIS[3 * low + 3 + c] * share);
  return [channel(0), channel(1), channel(2)];
}
