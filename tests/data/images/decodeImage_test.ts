import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import sharp, { type Sharp } from "sharp";
import { decodeImage } from "../../../data/images/decodeImage.ts";
import { encodePng } from "../../../data/images/encodePng.ts";
import { IMAGE_LIMITS, ImageError } from "../../../data/images/imageFile.ts";
import { inspectImage } from "../../../data/images/inspectImage.ts";
import { resizeRaw } from "../../../data/images/resizeImage.ts";
import { pngChunk, pngData, pngFile } from "../../setup/png.ts";

const GREY = { imageSize: 8, channels: 1 } as const, RGB = { imageSize: 8, channels: 3 } as const;

const grey = Uint8Array.from({ length: 64 }, (_, i) => i * 4);
const colour = Uint8Array.from({ length: 192 }, (_, i) => i);
const greyPng = await encodePng(grey, 8, 8, 1);
const colourPng = await encodePng(colour, 8, 8, 3);
const encode = async (image: Sharp): Promise<Bytes> => new Uint8Array(await image.toBuffer());
const raw = (pixels: Uint8Array, width: number, height: number, channels: 1 | 3 | 4) =>
  sharp(pixels, { raw: { width, height, channels } });

Deno.test("an image of the input size is decoded exactly, in greyscale and in colour", async () => {
  expect(await decodeImage(greyPng, GREY)).toEqual(grey);
  expect(await decodeImage(colourPng, RGB)).toEqual(colour);
  expect(await decodeImage(greyPng, RGB)).toEqual(
    Uint8Array.from({ length: 192 }, (_, i) => grey[Math.floor(i / 3)]),
  );
  expect((await decodeImage(colourPng, GREY)).length).toBe(64);
  expect(await inspectImage(greyPng)).toEqual({ height: 8, width: 8, channels: 1, hasAlpha: false });
  expect(await inspectImage(colourPng)).toEqual({ height: 8, width: 8, channels: 3, hasAlpha: false });
});

Deno.test("every type of PNG and JPEG is converted to 8 bits and the channels of the model", async () => {
  const flat = (value: number, channels: 1 | 3 | 4, size = 16) =>
    raw(new Uint8Array(size * size * channels).fill(value), size, size, channels);
  const kinds: [string, Bytes, number][] = [
    ["palette", await encode(flat(100, 3).png({ palette: true })), 100],
    ["alpha", await encode(flat(100, 4).png()), 100],
    ["interlaced", await encode(flat(100, 1).png({ progressive: true })), 100],
    ["16 bits", await encode(flat(100, 3).toColourspace("rgb16").png()), 100],
    ["JPEG", await encode(flat(100, 3).jpeg({ quality: 100 })), 100],
    ["progressive JPEG", await encode(flat(100, 3).jpeg({ progressive: true, quality: 100 })), 100],
    ["CMYK JPEG", await encode(flat(255, 3).toColourspace("cmyk").jpeg({ quality: 100 })), 255],
  ];
  for (const [kind, bytes, value] of kinds) {
    for (const input of [GREY, RGB]) {
      const decoded = await decodeImage(bytes, input);
      expect([kind, decoded.length]).toEqual([kind, 64 * input.channels]);
      for (const pixel of decoded) expect(Math.abs(pixel - value)).toBeLessThan(6);
    }
  }
});

Deno.test("EXIF rotation is applied", async () => {
  // The left half is white. Orientation 6 is a clockwise quarter turn, which moves the left side to the top.
  const pixels = Uint8Array.from({ length: 256 }, (_, i) => i % 16 < 8 ? 255 : 0);
  const rotated = await encode(
    raw(pixels, 16, 16, 1).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }),
  );
  const decoded = await decodeImage(rotated, GREY);
  expect(decoded[8 * 1 + 4]).toBeGreaterThan(200);
  expect(decoded[8 * 6 + 4]).toBeLessThan(50);
});

Deno.test("another shape is resized by its shorter side and cropped to its middle", async () => {
  // The image is 32 wide and 16 high, and black with a white middle square.
  const pixels = Uint8Array.from({ length: 512 }, (_, i) => i % 32 >= 8 && i % 32 < 24 ? 255 : 0);
  const decoded = await decodeImage(await encodePng(pixels, 32, 16, 1), GREY);
  const middle = [...decoded].filter((_, i) => i % 8 > 0 && i % 8 < 7);
  expect(Math.min(...middle)).toBeGreaterThan(240);
  const same = await resizeRaw(grey, { height: 8, width: 8, channels: 1 }, GREY);
  expect(same).toEqual(grey);
  expect(
    (await resizeRaw(colour, { height: 8, width: 8, channels: 3 }, { imageSize: 20, channels: 1 })).length,
  ).toBe(400);
});

/** Copies bytes with one change. */
const broken = (bytes: Bytes, offset: number): Bytes =>
  bytes.map((byte, i) => i === offset ? byte ^ 0xff : byte);

Deno.test("invalid files are refused with the reason", async () => {
  const large = await encode(
    sharp({ create: { width: 8000, height: 8000, channels: 3, background: "#fff" } }).png(),
  );
  const end = greyPng.length;
  const table: [string, Bytes, RegExp][] = [
    ["nothing", new Uint8Array(0), /is empty/],
    ["a PDF", new TextEncoder().encode("%PDF-1.7 and more"), /neither PNG nor JPEG/],
    ["a GIF", await encode(raw(grey, 8, 8, 1).gif()), /neither PNG nor JPEG/],
    ["an SVG", new TextEncoder().encode("<svg xmlns='http://www.w3.org/2000/svg'/>"), /neither PNG nor JPEG/],
    ["too many bytes", new Uint8Array(IMAGE_LIMITS.bytes + 1), /at most/],
    ["too many pixels", large, /pixels/],
    ["a cut PNG", greyPng.slice(0, end - 20), /cannot be decoded/],
    ["a header and no more", greyPng.slice(0, 33), /cannot be decoded/],
    ["a wrong checksum in the header", broken(greyPng, 29), /cannot be decoded/],
    ["damaged data", broken(greyPng, Math.floor(end / 2)), /cannot be decoded/],
    ["a width of 0", greyPng.map((byte, i) => i >= 16 && i < 20 ? 0 : byte), /cannot be decoded/],
  ];
  for (const [title, bytes, message] of table) {
    for (const read of [() => decodeImage(bytes, GREY), () => inspectImage(bytes)]) {
      const error = await read().then(() => null, (error) => error);
      expect([title, error?.name]).toEqual([title, "ImageError"]);
      expect(error.message).toMatch(message);
    }
  }
});

const TWO = { width: 2, height: 2 };
/** RGB of the four pixels of a 2 x 2 image, each `n` in 0, 10, … */
const four = [[10, 20, 30], [40, 50, 60], [70, 80, 90], [10, 20, 30]];
const palette = pngChunk("PLTE", Uint8Array.from(four.slice(0, 3).flat()));

/** Types of PNG and their pixels. The files are made by hand, because an encoder may choose another type. */
const PIXELS: [kind: string, file: Bytes, channels: 1 | 3, pixels: number[]][] = [
  ["1 bit grey", pngFile({ ...TWO, depth: 1 }, pngData([[0b01000000], [0b10000000]])), 1, [0, 255, 255, 0]],
  ["2 bit grey", pngFile({ ...TWO, depth: 2 }, pngData([[0b00010000], [0b10110000]])), 1, [0, 85, 170, 255]],
  ["4 bit grey", pngFile({ ...TWO, depth: 4 }, pngData([[0x01], [0xef]])), 1, [0, 17, 238, 255]],
  [
    "16 bit grey",
    pngFile({ ...TWO, depth: 16 }, pngData([[18, 18, 128, 128], [255, 255, 0, 0]])),
    1,
    [18, 128, 255, 0],
  ],
  [
    "16 bit RGB",
    pngFile(
      { ...TWO, depth: 16, type: 2 },
      pngData([four.slice(0, 2), four.slice(2)].map((row) => row.flat().flatMap((value) => [value, value]))),
    ),
    3,
    four.flat(),
  ],
  [
    "palette",
    pngFile({ ...TWO, depth: 2, type: 3 }, palette, pngData([[0b00010000], [0b10000000]])),
    3,
    four.flat(),
  ],
  [
    "palette with transparent colours",
    pngFile(
      { ...TWO, depth: 2, type: 3 },
      palette,
      pngChunk("tRNS", Uint8Array.of(0, 128)),
      pngData([[0b00010000], [0b10000000]]),
    ),
    3,
    four.flat(),
  ],
  ["grey and alpha", pngFile({ ...TWO, type: 4 }, pngData([[10, 0, 20, 255], [30, 128, 40, 1]])), 1, [
    10,
    20,
    30,
    40,
  ]],
  [
    "RGB and alpha",
    pngFile(
      { ...TWO, type: 6 },
      pngData([[...four[0], 0, ...four[1], 255], [...four[2], 128, ...four[3], 1]]),
    ),
    3,
    four.flat(),
  ],
];

Deno.test("the pixels of every type of PNG are decoded exactly", async (t) => {
  for (const [kind, file, channels, pixels] of PIXELS) {
    await t.step(kind, async () => {
      expect(await inspectImage(file)).toEqual({
        ...TWO,
        channels,
        hasAlpha: /alpha|transparent/.test(kind),
      });
      expect([...await decodeImage(file, { imageSize: 2, channels })]).toEqual(pixels);
    });
  }
  await t.step("interlaced", async () => {
    const interlaced = await encode(raw(colour, 8, 8, 3).png({ progressive: true }));
    expect(interlaced[28]).toBe(1);
    expect(await decodeImage(interlaced, RGB)).toEqual(colour);
  });
});

Deno.test("the alpha channel is dropped and the colours are kept, with and without a resize", async () => {
  const row = [0, 255].flatMap((alpha) => [200, 100, 50, alpha]);
  const clear = pngFile({ ...TWO, type: 6 }, pngData([row, row]));
  for (const imageSize of [1, 2, 5]) {
    const decoded = await decodeImage(clear, { imageSize, channels: 3 });
    expect([...decoded]).toEqual(Array.from({ length: imageSize ** 2 }, () => [200, 100, 50]).flat());
  }
});

Deno.test("colour is converted to grey by lightness, and grey stays grey in three channels", async () => {
  const rgb = pngFile({ ...TWO, type: 2 }, pngData([[255, 0, 0, 0, 255, 0], [0, 0, 255, 90, 90, 90]]));
  const [red, green, blue, flat] = await decodeImage(rgb, { imageSize: 2, channels: 1 });
  expect(green).toBeGreaterThan(red);
  expect(red).toBeGreaterThan(blue);
  expect(flat).toBe(90);
});

Deno.test("a CMYK JPEG is converted to RGB", async () => {
  const red = Uint8Array.from({ length: 768 }, (_, i) => i % 3 === 0 ? 200 : 20);
  const file = await encode(raw(red, 16, 16, 3).toColourspace("cmyk").jpeg({ quality: 100 }));
  expect((await sharp(file).metadata()).channels).toBe(4);
  const [r, g, b] = await decodeImage(file, RGB);
  expect(r).toBeGreaterThan(150);
  expect(Math.max(g, b)).toBeLessThan(80);
});

Deno.test("images of all eight EXIF orientations are decoded to the same upright image", async () => {
  // Upright: the upper left quarter is white, the upper right one grey, the lower half black.
  const upright = Uint8Array.from({ length: 256 }, (_, i) => i >= 128 ? 0 : i % 16 < 8 ? 255 : 128);
  const pixelAt = (x: number, y: number) => upright[y * 16 + x];
  // Position of the upright pixel (x, y) in the file, by orientation (Exif 2.32, tag 0x0112).
  const stored: ((x: number, y: number) => number)[] = [
    (x, y) => pixelAt(x, y),
    (x, y) => pixelAt(15 - x, y),
    (x, y) => pixelAt(15 - x, 15 - y),
    (x, y) => pixelAt(x, 15 - y),
    (x, y) => pixelAt(y, x),
    (x, y) => pixelAt(15 - y, x),
    (x, y) => pixelAt(15 - y, 15 - x),
    (x, y) => pixelAt(y, 15 - x),
  ];
  for (const [before, pixel] of stored.entries()) {
    const pixels = Uint8Array.from({ length: 256 }, (_, i) => pixel(i % 16, Math.floor(i / 16)));
    const file = await encode(
      raw(pixels, 16, 16, 1).withMetadata({ orientation: before + 1 }).jpeg({ quality: 100 }),
    );
    const decoded = await decodeImage(file, GREY);
    const corners = [decoded[8 * 1 + 1], decoded[8 * 1 + 6], decoded[8 * 6 + 1], decoded[8 * 6 + 6]];
    const nearest = corners.map((value) => Math.round(value / 128));
    expect([before + 1, nearest]).toEqual([before + 1, [2, 1, 0, 0]]);
  }
  const tall = await encode(raw(new Uint8Array(128), 8, 16, 1).withMetadata({ orientation: 6 }).jpeg());
  expect(await inspectImage(tall)).toMatchObject({ width: 16, height: 8 });
});

Deno.test("a PNG with an invalid header is refused before it is unpacked", async (t) => {
  const rows = pngData([[1, 2], [3, 4]]);
  const table: [string, Bytes, RegExp][] = [
    ["no data", pngFile(TWO), /cannot be decoded/],
    ["a palette image without palette", pngFile({ ...TWO, type: 3 }, rows), /cannot be decoded/],
    ["a width of 0", pngFile({ width: 0, height: 2 }, rows), /cannot be decoded/],
    ["a height of 0", pngFile({ width: 2, height: 0 }, rows), /cannot be decoded/],
    ["3 bits", pngFile({ ...TWO, depth: 3 }, rows), /cannot be decoded/],
    ["an unknown colour type", pngFile({ ...TWO, type: 5 }, rows), /cannot be decoded/],
    ["an unknown chunk that matters", pngFile(TWO, pngChunk("ABCD"), rows), /cannot be decoded/],
    ["fewer rows than declared", pngFile({ width: 2, height: 4 }, rows), /cannot be decoded/],
    // Only the header declares this size, so the refusal shows that nothing was unpacked.
    ["30,000 x 30,000 pixels", pngFile({ width: 30_000, height: 30_000, depth: 1 }, rows), /50000000 pixels/],
    ["2^31 - 1 pixels a side", pngFile({ width: 2 ** 31 - 1, height: 2 ** 31 - 1 }, rows), /cannot|pixels/],
  ];
  for (const [title, bytes, message] of table) {
    await t.step(title, async () => {
      await expect(inspectImage(bytes)).rejects.toThrow(message);
      await expect(decodeImage(bytes, GREY)).rejects.toThrow(ImageError);
    });
  }
});

Deno.test("a file that is truncated before its last pixel is refused", async () => {
  const noise = Uint8Array.from({ length: 256 }, (_, i) => (i * i * 7) % 251);
  const jpeg = await encode(raw(noise, 16, 16, 1).jpeg());
  const png = await encode(raw(noise, 16, 16, 1).png());
  // The last 12 bytes of a PNG are its end marker.
  for (const [file, needed] of [[png, png.length - 12], [jpeg, jpeg.length]] as const) {
    expect((await decodeImage(file, GREY)).length).toBe(64);
    for (let length = 0; length < needed; length++) {
      const error = await decodeImage(file.slice(0, length), GREY).then(() => null, (error) => error);
      expect([length, error?.name]).toEqual([length, "ImageError"]);
    }
  }
});
