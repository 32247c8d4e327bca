/**
 * Converts images to patches and back: `b (h p1) (w p2) c <-> b (h w) (p1 p2 c)`. It runs on the host, because images
 * need no gradient.
 *
 * @module
 */
import { imageDim, type MaeConfig } from "./config.ts";

/** Index in the image of each value of its patches, cached by configuration. */
const pixelIndices = new WeakMap<MaeConfig, Uint32Array>();

function pixelIndicesOf(config: MaeConfig): Uint32Array {
  let indices = pixelIndices.get(config);
  if (!indices) pixelIndices.set(config, indices = computePixelIndices(config));
  return indices;
}

function computePixelIndices(config: MaeConfig): Uint32Array {
  const { imageSize, patchSize, inChannels } = config;
  const patchesPerSide = imageSize / patchSize, rowLength = patchSize * inChannels;
  const indices = new Uint32Array(imageDim(config));
  let next = 0;
  for (let h = 0; h < patchesPerSide; h++) {
    for (let w = 0; w < patchesPerSide; w++) {
      for (let p1 = 0; p1 < patchSize; p1++) {
        const rowStart = ((h * patchSize + p1) * imageSize + w * patchSize) * inChannels;
        for (let i = 0; i < rowLength; i++) indices[next++] = rowStart + i;
      }
    }
  }
  return indices;
}

/** Number of images in a buffer. @throws {RangeError} when it is not a whole number */
function batchSizeOf(length: number, config: MaeConfig): number {
  const batch = length / imageDim(config);
  if (!Number.isInteger(batch)) {
    const { imageSize, inChannels } = config;
    throw new RangeError(`Cannot read ${length} values as images of ${imageSize}x${imageSize}x${inChannels}`);
  }
  return batch;
}

/**
 * Cuts images into patches.
 *
 * @param pixels `[batch, height, width, channels]`
 * @param patches receives the patches
 * @returns `patches`, `[batch, N, P·P·C]`, each patch in the order (p1 p2 c)
 * @throws {RangeError} when `pixels` is not a whole number of images
 *
 * @example
 * ```ts
 * import { completeConfig } from "./config.ts";
 * import { patchify } from "./patches.ts";
 *
 * const config = completeConfig({ imageSize: 4, patchSize: 2 });
 * const image = Float32Array.from({ length: 16 }, (_, i) => i);
 * console.log(patchify(image, config).subarray(0, 4)); // the first patch: 0, 1, 4, 5
 * ```
 */
export function patchify<A extends ArrayBufferLike = ArrayBuffer>(
  pixels: Float32Array,
  config: MaeConfig,
  patches: Float32Array<A> = new Float32Array(pixels.length) as Float32Array<A>,
): Float32Array<A> {
  const batch = batchSizeOf(pixels.length, config);
  const indices = pixelIndicesOf(config), size = indices.length;
  for (let b = 0, start = 0; b < batch; b++, start += size) {
    for (let i = 0; i < size; i++) patches[start + i] = pixels[start + indices[i]];
  }
  return patches;
}

/**
 * Assembles images from patches, the inverse of {@linkcode patchify}.
 *
 * @param patches `[batch, N, P·P·C]`
 * @returns `[batch, height, width, channels]`
 * @throws {RangeError} when `patches` is not a whole number of images
 *
 * @example
 * ```ts
 * import { patchify, unpatchify } from "./patches.ts";
 * import { PRESETS } from "./presets.ts";
 *
 * const image = new Float32Array(28 * 28).fill(0.5);
 * const same = unpatchify(patchify(image, PRESETS.mnist), PRESETS.mnist);
 * ```
 */
export function unpatchify(patches: Float32Array, config: MaeConfig): Float32Array<ArrayBuffer> {
  const batch = batchSizeOf(patches.length, config);
  const pixels = new Float32Array(patches.length);
  const indices = pixelIndicesOf(config), size = indices.length;
  for (let b = 0, start = 0; b < batch; b++, start += size) {
    for (let i = 0; i < size; i++) pixels[start + indices[i]] = patches[start + i];
  }
  return pixels;
}
