/**
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11).
 * A draw depends on its key alone and not on earlier draws. An interrupted run therefore has the same masks, shuffles
 * and initial weights as an uninterrupted one.
 *
 * @module
 */

/** Identifies a stream of random numbers. Equal keys give equal numbers. */
export interface RandomKey {
  /** The user's seed, 0 to 2^53 - 1. */
  readonly seed: number;
  /** For example `"mask"`, `"shuffle"` or `"init/encoder.norm.weight"`. */
  readonly purpose: string;
  /** 0 when absent. */
  readonly epoch?: number;
  /** 0 when absent. */
  readonly step?: number;
}

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the product of two unsigned 32-bit numbers. */
function mulHigh(a: number, b: number): number {
  // Every product of two halves and every sum is below 2^32, so that V8 computes with 32-bit integers alone.
  const aLow = a & 0xffff, aHigh = a >>> 16, bLow = b & 0xffff, bHigh = b >>> 16;
  const low = Math.imul(aLow, bLow) >>> 16;
  const middle = (Math.imul(aHigh, bLow) + low) | 0;
  const cross = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) >>> 0;
}

/**
 * Computes one Philox 4x32-10 block.
 *
 * @param counter four 32-bit words
 * @param key two 32-bit words
 * @param out receives four words, from `offset` on
 *
 * @example
 * ```ts
 * import { philox4x32 } from "./random.ts";
 *
 * const words = new Uint32Array(4);
 * philox4x32([0, 0, 0, 0], [0, 0], words);
 * console.log(words[0].toString(16)); // 6627e8d5
 * ```
 */
export function philox4x32(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
  offset = 0,
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(M0, c0), low0 = Math.imul(M0, c0) >>> 0;
    const high1 = mulHigh(M1, c2), low1 = Math.imul(M1, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[offset] = c0;
  out[offset + 1] = c1;
  out[offset + 2] = c2;
  out[offset + 3] = c3;
}

/** 32-bit FNV-1a hash of the UTF-16 code units of a text. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * Returns random 32-bit words.
 *
 * @param skip number of words of the stream to leave out before the first
 * @throws {RangeError} when the seed is not a whole number from 0 to 2^53 - 1
 */
export function randomUint32(key: RandomKey, count: number, skip = 0): Uint32Array<ArrayBuffer> {
  if (!Number.isSafeInteger(key.seed) || key.seed < 0) {
    throw new RangeError(`Cannot draw with seed ${key.seed}: it must be a whole number from 0 to 2^53 - 1`);
  }
  const firstBlock = Math.floor(skip / 4), before = skip % 4;
  const words = new Uint32Array(Math.ceil((before + count) / 4) * 4);
  const philoxKey = [key.seed >>> 0, Math.floor(key.seed / 2 ** 32)] as const;
  const step = key.step ?? 0, epoch = key.epoch ?? 0, purpose = hashText(key.purpose);
  for (let block = 0; block * 4 < words.length; block++) {
    philox4x32([firstBlock + block, step >>> 0, epoch >>> 0, purpose], philoxKey, words, block * 4);
  }
  return words.subarray(before, before + count);
}

/**
 * Returns uniform float32 numbers in [0, 1), each a multiple of 2^-24.
 *
 * @param skip number of values of the stream to leave out before the first
 *
 * @example
 * ```ts
 * import { uniform } from "./random.ts";
 *
 * const key = { seed: 1, purpose: "mask", epoch: 0, step: 3 };
 * const noise = uniform(key, 49);
 * const last = uniform(key, 1, 48); // the same number as noise[48]
 * ```
 */
export function uniform(key: RandomKey, count: number, skip = 0): Float32Array<ArrayBuffer> {
  const words = randomUint32(key, count, skip);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = (words[i] >>> 8) * 2 ** -24;
  return out;
}

/**
 * Returns standard normal float32 numbers (Box-Muller on pairs of 32-bit words).
 *
 * @example
 * ```ts
 * import { normal } from "./random.ts";
 *
 * const weights = normal({ seed: 1, purpose: "init/decoder.mask_token" }, 32);
 * ```
 */
export function normal(key: RandomKey, count: number): Float32Array<ArrayBuffer> {
  const words = randomUint32(key, count + (count % 2));
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log((words[i] + 1) * 2 ** -32));
    const angle = 2 * Math.PI * words[i + 1] * 2 ** -32;
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

/**
 * Returns a random permutation of 0 … count - 1 (Fisher-Yates).
 *
 * @example
 * ```ts
 * import { permutation } from "./random.ts";
 *
 * const order = permutation({ seed: 1, purpose: "shuffle", epoch: 2 }, 60_000);
 * ```
 */
export function permutation(key: RandomKey, count: number): Uint32Array<ArrayBuffer> {
  const words = randomUint32(key, count);
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(words[i] * 2 ** -32 * (i + 1));
    const value = order[i];
    order[i] = order[j];
    order[j] = value;
  }
  return order;
}
