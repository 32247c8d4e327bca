import { expect } from "expect";
import sharp, { type PngOptions } from "sharp";
import type { Bytes } from "../../../data/bytes.ts";
import { encodePng } from "../../../data/images/encodePng.ts";
import { decodePlainPng } from "../../../data/images/plainPng.ts";
import { writePng } from "../../../data/images/writePng.ts";
import { randomUint32 } from "../../../model/random.ts";

/** A smooth image with noise, for which an encoder chooses every filter. */
function image(width: number, height: number, channels: 1 | 3): Bytes {
  const noise = randomUint32({ seed: width, purpose: "test" }, width * height * channels);
  return Uint8Array.from(noise, (word, i) => 3 * (i % width) + 5 * Math.floor(i / width) + word % 7);
}

async function withSharp(
  width: number,
  height: number,
  channels: 1 | 3,
  options: PngOptions,
): Promise<Bytes> {
  const source = sharp(image(width, height, channels), { raw: { width, height, channels } });
  return new Uint8Array(await source.toColourspace(channels === 1 ? "b-w" : "srgb").png(options).toBuffer());
}

const SIZES = [[1, 1], [28, 28], [5, 40], [90, 3]] as const;

Deno.test("plain files have the pixels that were encoded, with every filter", async () => {
  for (const [width, height] of SIZES) {
    for (const channels of [1, 3] as const) {
      const pixels = image(width, height, channels);
      const files = [
        await encodePng(pixels, width, height, channels),
        await withSharp(width, height, channels, { adaptiveFiltering: true }),
        await withSharp(width, height, channels, { adaptiveFiltering: false, compressionLevel: 0 }),
      ];
      for (const file of files) expect(decodePlainPng(file)).toEqual({ width, height, channels, pixels });
    }
  }
  for (let filter = 0; filter < 5; filter++) {
    const scanlines = image(1 + 3 * 10, 10, 1);
    for (let y = 0; y < 10; y++) scanlines[y * 31] = filter;
    const file = await writePng(scanlines, 10, 10, 3);
    const decoded = await sharp(file).raw().toBuffer();
    expect(decodePlainPng(file)!.pixels).toEqual(new Uint8Array(decoded));
  }
});

Deno.test("a written file is read by other decoders", async () => {
  for (const [width, height] of [...SIZES, [1500, 800]] as const) {
    for (const channels of [1, 3] as const) {
      const pixels = image(width, height, channels);
      const file = sharp(await encodePng(pixels, width, height, channels), { failOn: "warning" });
      expect(await file.metadata()).toMatchObject({ width, height, channels, depth: "uchar" });
      const decoded = await file.toColourspace(channels === 1 ? "b-w" : "srgb").raw().toBuffer();
      expect(new Uint8Array(decoded)).toEqual(pixels);
    }
  }
});

Deno.test("other files are left to the library", async () => {
  const source = () => sharp(image(20, 20, 3), { raw: { width: 20, height: 20, channels: 3 } });
  const files = await Promise.all([
    source().png({ palette: true }).toBuffer(),
    source().ensureAlpha(0.5).png().toBuffer(),
    source().toColourspace("rgb16").png().toBuffer(),
    source().png({ progressive: true }).toBuffer(),
    source().withExif({ IFD0: { Orientation: "6" } }).png().toBuffer(),
    source().withIccProfile("p3").png().toBuffer(),
    source().jpeg().toBuffer(),
    withSharp(200, 400, 1, {}),
  ]);
  for (const file of files) expect(decodePlainPng(new Uint8Array(file))).toBeNull();
});

Deno.test("a file with any fault is left to the library", async () => {
  const file = await encodePng(image(28, 28, 1), 28, 28, 1);
  for (let i = 0; i < file.length; i++) {
    const damaged = file.slice();
    damaged[i] ^= 1 << (i % 8);
    expect(decodePlainPng(damaged)).toBeNull();
    expect(decodePlainPng(file.slice(0, i))).toBeNull();
  }
  expect(decodePlainPng(new Uint8Array([...file, 0]))).toBeNull();
  expect(decodePlainPng(await writePng(new Uint8Array(28 * 29 - 1), 28, 28, 1))).toBeNull();
  expect(decodePlainPng(await writePng(new Uint8Array(28 * 29 + 1), 28, 28, 1))).toBeNull();
  expect(decodePlainPng(await writePng(new Uint8Array(28 * 29).fill(5), 28, 28, 1))).toBeNull();
});
