import { expect } from "expect";
import sharp, { type Sharp } from "sharp";
import { decodePicture, encodePng, inspectPicture, PICTURE_LIMITS, resizeRaw } from "../../data/images.ts";
import { renderTriptych, triptychSize } from "../../data/triptych.ts";

type Bytes = Uint8Array<ArrayBuffer>;
const GREY = { imageSize: 8, channels: 1 } as const, RGB = { imageSize: 8, channels: 3 } as const;

const grey = Uint8Array.from({ length: 64 }, (_, i) => i * 4);
const colour = Uint8Array.from({ length: 192 }, (_, i) => i);
const greyPng = await encodePng(grey, 8, 8, 1);
const colourPng = await encodePng(colour, 8, 8, 3);
const made = async (picture: Sharp): Promise<Bytes> => new Uint8Array(await picture.toBuffer());
const raw = (pixels: Uint8Array, width: number, height: number, channels: 1 | 3 | 4) =>
  sharp(pixels, { raw: { width, height, channels } });

Deno.test("a picture of the right size is decoded exactly, in grey and in colour", async () => {
  expect(await decodePicture(greyPng, GREY)).toEqual(grey);
  expect(await decodePicture(colourPng, RGB)).toEqual(colour);
  expect(await decodePicture(greyPng, RGB)).toEqual(
    Uint8Array.from({ length: 192 }, (_, i) => grey[Math.floor(i / 3)]),
  );
  expect((await decodePicture(colourPng, GREY)).length).toBe(64);
  expect(await inspectPicture(greyPng)).toEqual({ height: 8, width: 8, channels: 1 });
  expect(await inspectPicture(colourPng)).toEqual({ height: 8, width: 8, channels: 3 });
});

Deno.test("every kind of PNG and JPEG becomes 8 bits of the model's channels", async () => {
  const flat = (value: number, channels: 1 | 3 | 4, size = 16) =>
    raw(new Uint8Array(size * size * channels).fill(value), size, size, channels);
  const kinds: [string, Bytes, number][] = [
    ["palette", await made(flat(100, 3).png({ palette: true })), 100],
    ["alpha", await made(flat(100, 4).png()), 100],
    ["interlaced", await made(flat(100, 1).png({ progressive: true })), 100],
    ["16 bits", await made(flat(100, 3).toColourspace("rgb16").png()), 100],
    ["JPEG", await made(flat(100, 3).jpeg({ quality: 100 })), 100],
    ["progressive JPEG", await made(flat(100, 3).jpeg({ progressive: true, quality: 100 })), 100],
    ["CMYK JPEG", await made(flat(255, 3).toColourspace("cmyk").jpeg({ quality: 100 })), 255],
  ];
  for (const [kind, bytes, value] of kinds) {
    for (const form of [GREY, RGB]) {
      const decoded = await decodePicture(bytes, form);
      expect([kind, decoded.length]).toEqual([kind, 64 * form.channels]);
      for (const pixel of decoded) expect(Math.abs(pixel - value)).toBeLessThan(6);
    }
  }
});

Deno.test("a camera's rotation is applied", async () => {
  // Left half white; orientation 6 means: turn a quarter to the right, which brings left to the top.
  const pixels = Uint8Array.from({ length: 256 }, (_, i) => i % 16 < 8 ? 255 : 0);
  const turned = await made(raw(pixels, 16, 16, 1).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }));
  const decoded = await decodePicture(turned, GREY);
  expect(decoded[8 * 1 + 4]).toBeGreaterThan(200);
  expect(decoded[8 * 6 + 4]).toBeLessThan(50);
});

Deno.test("another shape is resized over its shorter side and cut to the middle", async () => {
  // 32 wide, 16 high: black, with a white middle of 16.
  const pixels = Uint8Array.from({ length: 512 }, (_, i) => i % 32 >= 8 && i % 32 < 24 ? 255 : 0);
  const decoded = await decodePicture(await encodePng(pixels, 32, 16, 1), GREY);
  const middle = [...decoded].filter((_, i) => i % 8 > 0 && i % 8 < 7);
  expect(Math.min(...middle)).toBeGreaterThan(240);
  const same = await resizeRaw(grey, { height: 8, width: 8, channels: 1 }, GREY);
  expect(same).toEqual(grey);
  expect(
    (await resizeRaw(colour, { height: 8, width: 8, channels: 3 }, { imageSize: 20, channels: 1 })).length,
  ).toBe(400);
});

/** A copy with one byte changed. */
const broken = (bytes: Bytes, at: number): Bytes => bytes.map((byte, i) => i === at ? byte ^ 0xff : byte);

Deno.test("what cannot be read is refused, with the reason", async () => {
  const large = await made(
    sharp({ create: { width: 8000, height: 8000, channels: 3, background: "#fff" } }).png(),
  );
  const end = greyPng.length;
  const table: [string, Bytes, RegExp][] = [
    ["nothing", new Uint8Array(0), /is empty/],
    ["a PDF", new TextEncoder().encode("%PDF-1.7 and more"), /neither PNG nor JPEG/],
    ["a GIF", await made(raw(grey, 8, 8, 1).gif()), /neither PNG nor JPEG/],
    ["an SVG", new TextEncoder().encode("<svg xmlns='http://www.w3.org/2000/svg'/>"), /neither PNG nor JPEG/],
    ["too many bytes", new Uint8Array(PICTURE_LIMITS.bytes + 1), /at most/],
    ["too many pixels", large, /pixels/],
    ["a cut PNG", greyPng.slice(0, end - 20), /cannot be decoded/],
    ["a header and no more", greyPng.slice(0, 33), /cannot be decoded/],
    ["a wrong checksum in the header", broken(greyPng, 29), /cannot be decoded/],
    ["damaged data", broken(greyPng, Math.floor(end / 2)), /cannot be decoded/],
    ["a width of 0", greyPng.map((byte, i) => i >= 16 && i < 20 ? 0 : byte), /cannot be decoded/],
  ];
  for (const [what, bytes, says] of table) {
    for (const read of [() => decodePicture(bytes, GREY), () => inspectPicture(bytes)]) {
      const error = await read().then(() => null, (error) => error);
      expect([what, error?.name]).toEqual([what, "PictureError"]);
      expect(error.message).toMatch(says);
    }
  }
});

Deno.test("the triptych shows original, masked and reconstruction, enlarged, clipped, on white", async () => {
  const original = Float32Array.of(0, 1, 0.2, 0.4);
  const rows = [{
    original,
    masked: Float32Array.of(0.5, 0.5, 0.2, 0.4),
    reconstruction: Float32Array.of(-3, 7, 0.2, 0.4),
  }];
  const png = await renderTriptych([...rows, ...rows], 2, 1);
  const { scale, width, height } = triptychSize(2, 2);
  const { data, info } = await sharp(png).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([width, height, 1]);
  const step = 2 * scale + 8;
  const value = (row: number, column: number, y: number, x: number) =>
    data[(8 + row * step + y * scale + 1) * width + 8 + column * step + x * scale + 1];
  for (const row of [0, 1]) {
    expect([value(row, 0, 0, 0), value(row, 0, 0, 1), value(row, 0, 1, 0)]).toEqual([0, 255, 51]);
    expect([value(row, 1, 0, 0), value(row, 1, 0, 1), value(row, 1, 1, 1)]).toEqual([128, 128, 102]);
    expect([value(row, 2, 0, 0), value(row, 2, 0, 1), value(row, 2, 1, 1)]).toEqual([0, 255, 102]);
  }
  expect(data[0]).toBe(255);
});
