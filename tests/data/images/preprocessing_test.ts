import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { decodeImage } from "../../../data/images/decodeImage.ts";
import { encodePng } from "../../../data/images/encodePng.ts";
import { resizeRaw } from "../../../data/images/resizeImage.ts";
import type { ImagePreprocessing } from "../../../data/images/preprocessing.ts";
import { pngChunk, pngData, pngFile } from "../../setup/png.ts";

const options = (resize: ImagePreprocessing["resize"], background = "none"): ImagePreprocessing => ({
  resize,
  background,
});

/** An image of 2 x 4 with columns of 0, 100, 100, 200. */
const columns = Uint8Array.of(0, 100, 100, 200, 0, 100, 100, 200);
const wide = await encodePng(columns, 4, 2, 1);
const INPUT = { imageSize: 4, channels: 1 } as const;
const rowsOf = (pixels: Uint8Array) =>
  Array.from({ length: 4 }, (_, row) => [...pixels.subarray(4 * row, 4 * row + 4)]);

Deno.test("an image that is not square is cropped, squashed or padded, encoded or raw", async (t) => {
  const decoders: [string, (preprocessing: ImagePreprocessing) => Promise<Bytes>][] = [
    ["encoded", (preprocessing) => decodeImage(wide, INPUT, preprocessing)],
    [
      "raw",
      (preprocessing) => resizeRaw(columns, { height: 2, width: 4, channels: 1 }, INPUT, preprocessing),
    ],
  ];
  for (const [title, decode] of decoders) {
    await t.step(title, async () => {
      // The middle square has only the value 100.
      const cropped = rowsOf(await decode(options("crop")));
      for (const row of cropped) expect(row.slice(1, 3)).toEqual([100, 100]);
      const squashed = rowsOf(await decode(options("squash")));
      expect(squashed).toEqual(Array.from({ length: 4 }, () => [0, 100, 100, 200]));
      for (const [background, value] of [["none", 0], ["black", 0], ["white", 255], ["#808080", 128]]) {
        const bar = Array(4).fill(value);
        expect(rowsOf(await decode(options("pad", background as string))))
          .toEqual([bar, [0, 100, 100, 200], [0, 100, 100, 200], bar]);
      }
    });
  }
});

Deno.test("crop resizes and cuts as torchvision does", async (t) => {
  const cases: [long: number, short: number, size: number, scaled: number, start: number][] = [
    [250, 16, 4, 62, 29], // scaled to 62.5, which is rounded down
    [241, 100, 45, 108, 32], // 31.5 pixels on each side: a half is rounded to the even number
    [239, 100, 44, 105, 30], // 30.5 pixels
    [200, 100, 50, 100, 25],
  ];
  for (const [long, short, size, scaled, start] of cases) {
    await t.step(`${long} x ${short} to ${size}`, async () => {
      const ramp = Uint8Array.from({ length: long * short }, (_, i) => i % long);
      const input = { imageSize: size, channels: 1 } as const;
      const cropped = await resizeRaw(ramp, { height: short, width: long, channels: 1 }, input);
      const tall = ramp.map((_, i) => Math.floor(i / short));
      const upright = await resizeRaw(tall, { height: long, width: short, channels: 1 }, input);
      for (let i = 0; i < size; i++) {
        // Bicubic interpolation keeps a linear ramp.
        const expected = (start + i + 0.5) * long / scaled - 0.5;
        expect(Math.abs(cropped[size + i] - expected)).toBeLessThan(0.75);
        expect(Math.abs(upright[i * size + 1] - expected)).toBeLessThan(0.75);
      }
    });
  }
});

Deno.test("squash and pad keep all of a tall image of 50 x 2000", async () => {
  // The upper half is white, the lower half black.
  const tall = Uint8Array.from({ length: 50 * 2000 }, (_, index) => index < 50 * 1000 ? 255 : 0);
  const file = await encodePng(tall, 50, 2000, 1);
  const eight = { imageSize: 8, channels: 1 } as const;
  const squashed = await decodeImage(file, eight, options("squash"));
  for (let index = 0; index < 64; index++) {
    expect(Math.abs(squashed[index] - (index < 32 ? 255 : 0))).toBeLessThan(30);
  }
  const padded = await decodeImage(file, eight, options("pad", "#404040"));
  expect([padded[0], padded[7], padded[63]]).toEqual([64, 64, 64]);
  const middle = Array.from({ length: 8 }, (_, row) => Math.max(padded[8 * row + 3], padded[8 * row + 4]));
  expect(middle[1]).toBeGreaterThan(200);
});

const TWO = { width: 2, height: 2 };
/** Black pixels: opaque, half transparent and transparent. */
const INK: [string, Bytes][] = [
  ["grey and alpha", pngFile({ ...TWO, type: 4 }, pngData([[0, 255, 0, 0], [0, 128, 0, 0]]))],
  [
    "RGB and alpha",
    pngFile({ ...TWO, type: 6 }, pngData([[0, 0, 0, 255, 0, 0, 0, 0], [0, 0, 0, 128, 0, 0, 0, 0]])),
  ],
  [
    "16 bit grey and alpha",
    pngFile(
      { ...TWO, type: 4, depth: 16 },
      pngData([[0, 0, 255, 255, 0, 0, 0, 0], [0, 0, 128, 128, 0, 0, 0, 0]]),
    ),
  ],
  [
    "palette",
    pngFile(
      { ...TWO, depth: 2, type: 3 },
      pngChunk("PLTE", new Uint8Array(9)),
      pngChunk("tRNS", Uint8Array.of(255, 0, 128)),
      pngData([[0b00010000], [0b10010000]]),
    ),
  ],
];

Deno.test("transparent pixels of a black drawing show the requested background", async (t) => {
  const colours: [background: string, channels: 1 | 3, clear: number[], half: number[]][] = [
    ["none", 1, [0], [0]],
    ["none", 3, [0, 0, 0], [0, 0, 0]],
    ["white", 1, [255], [127]],
    ["white", 3, [255, 255, 255], [127, 127, 127]],
    ["black", 3, [0, 0, 0], [0, 0, 0]],
    ["#ff8000", 3, [255, 128, 0], [127, 63, 0]],
  ];
  for (const [kind, file] of INK) {
    for (const [background, channels, clear, half] of colours) {
      await t.step(`${kind}, ${background}, ${channels} channels`, async () => {
        const decoded = await decodeImage(file, { imageSize: 2, channels }, options("crop", background));
        const ink = clear.map(() => 0);
        const expected = [...ink, ...clear, ...half, ...clear];
        // Half of a colour is rounded down or up.
        for (const [index, value] of expected.entries()) {
          expect(Math.abs(decoded[index] - value)).toBeLessThan(2);
        }
      });
    }
  }
});

Deno.test("a single transparent colour shows the background, in grey and in RGB", async () => {
  const grey = pngFile(TWO, pngChunk("tRNS", Uint8Array.of(0, 20)), pngData([[10, 20], [30, 20]]));
  expect([...await decodeImage(grey, { imageSize: 2, channels: 1 }, options("crop", "white"))])
    .toEqual([10, 255, 30, 255]);
  expect([...await decodeImage(grey, { imageSize: 2, channels: 3 }, options("crop", "#ff0000"))])
    .toEqual([10, 10, 10, 255, 0, 0, 30, 30, 30, 255, 0, 0]);
  const rgb = pngFile(
    { ...TWO, type: 2 },
    pngChunk("tRNS", Uint8Array.of(0, 1, 0, 2, 0, 3)),
    pngData([[1, 2, 3, 4, 5, 6], [7, 8, 9, 1, 2, 3]]),
  );
  expect([...await decodeImage(rgb, { imageSize: 2, channels: 3 }, options("crop", "black"))])
    .toEqual([0, 0, 0, 4, 5, 6, 7, 8, 9, 0, 0, 0]);
});
