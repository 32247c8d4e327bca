/**
 * Images into patches and back (tutorial step 1: `b c (h p1) (w p2) -> b (h w) (p1 p2 c)`), on the host: images
 * need no gradient, so patches are cut before a batch reaches the backend.
 *
 * @module
 */
import type { MaeConfig } from "./config.ts";

/** The order of a configuration, which every part of every batch needs. */
const orders = new WeakMap<MaeConfig, Uint32Array>();

/** Where each value of an image's patches stands in the image. */
function pixelsOfPatches(config: MaeConfig): Uint32Array {
  let order = orders.get(config);
  if (!order) orders.set(config, order = computedOrder(config));
  return order;
}

function computedOrder({ imageSize, patchSize, inChannels }: MaeConfig): Uint32Array {
  const side = imageSize / patchSize, run = patchSize * inChannels;
  const order = new Uint32Array(imageSize * imageSize * inChannels);
  let patch = 0;
  for (let h = 0; h < side; h++) {
    for (let w = 0; w < side; w++) {
      for (let p1 = 0; p1 < patchSize; p1++) {
        const pixel = ((h * patchSize + p1) * imageSize + w * patchSize) * inChannels;
        for (let i = 0; i < run; i++) order[patch++] = pixel + i;
      }
    }
  }
  return order;
}

/** Number of images in a buffer. @throws {RangeError} when it holds no whole number of them */
function count(length: number, config: MaeConfig): number {
  const batch = length / (config.imageSize * config.imageSize * config.inChannels);
  if (!Number.isInteger(batch)) {
    throw new RangeError(
      `Cannot read ${length} values as images of ${config.imageSize}x${config.imageSize}x${config.inChannels}`,
    );
  }
  return batch;
}

/**
 * Cuts images into patches.
 *
 * @param pixels `[batch, height, width, channels]`
 * @param patches receives them; an array of their own by default
 * @returns `[batch, N, P·P·C]`, each patch in the order (p1 p2 c)
 */
export function patchify<A extends ArrayBufferLike = ArrayBuffer>(
  pixels: Float32Array,
  config: MaeConfig,
  patches: Float32Array<A> = new Float32Array(pixels.length) as Float32Array<A>,
): Float32Array<A> {
  const batch = count(pixels.length, config);
  const order = pixelsOfPatches(config), size = order.length;
  for (let b = 0, first = 0; b < batch; b++, first += size) {
    for (let i = 0; i < size; i++) patches[first + i] = pixels[first + order[i]];
  }
  return patches;
}

/**
 * Puts patches together again, the inverse of {@linkcode patchify}.
 *
 * @param patches `[batch, N, P·P·C]`
 * @returns `[batch, height, width, channels]`
 */
export function unpatchify(patches: Float32Array, config: MaeConfig): Float32Array<ArrayBuffer> {
  const batch = count(patches.length, config);
  const pixels = new Float32Array(patches.length);
  const order = pixelsOfPatches(config), size = order.length;
  for (let b = 0, first = 0; b < batch; b++, first += size) {
    for (let i = 0; i < size; i++) pixels[first + order[i]] = patches[first + i];
  }
  return pixels;
}
