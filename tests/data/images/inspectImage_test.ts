import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import sharp, { type JpegOptions } from "sharp";
import { decodeImage } from "../../../data/images/decodeImage.ts";
import { encodePng } from "../../../data/images/encodePng.ts";
import { IMAGE_LIMITS, ImageError } from "../../../data/images/imageFile.ts";
import { inspectImage } from "../../../data/images/inspectImage.ts";
import { RESIZE_MODES } from "../../../data/images/preprocessing.ts";
import { pngData, pngFile } from "../../setup/png.ts";

const text = (value: string) => new TextEncoder().encode(value);
const joined = (...parts: ArrayLike<number>[]): Bytes =>
  new Uint8Array(parts.flatMap((part) => [...Array.from(part)]));
/** Creates a marker segment of a JPEG (ITU T.81, B.1.1.4). */
const segment = (marker: number, data: Uint8Array): Bytes =>
  joined([0xff, marker, (data.length + 2) >> 8, (data.length + 2) & 0xff], data);

const pixels = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * i * 7) % 251);
const encode = async (options: JpegOptions = {}): Promise<Bytes> =>
  new Uint8Array(
    await sharp(pixels, { raw: { width: 64, height: 64, channels: 3 } }).jpeg(options).toBuffer(),
  );
const jpeg = await encode();
const progressive = await encode({ progressive: true });

/** Returns the offsets of the markers of a type. */
function findMarkers(file: Bytes, marker: number): number[] {
  return [...file.keys()].filter((offset) => file[offset] === 0xff && file[offset + 1] === marker);
}
const inserted = (offset: number, bytes: ArrayLike<number>, file = jpeg): Bytes =>
  joined(file.subarray(0, offset), bytes, file.subarray(offset));
const [scan] = findMarkers(jpeg, 0xda);

const HARMLESS: [title: string, file: Bytes, same: Bytes][] = [
  ["stray bytes after the start", inserted(2, [0, 0, 0]), jpeg],
  ["stray bytes before a table", inserted(findMarkers(jpeg, 0xc4)[0], new Uint8Array(700)), jpeg],
  ["stray bytes before the scan", inserted(scan, [1, 2, 3]), jpeg],
  ["stray bytes in several places", inserted(2, [7], inserted(scan, [1, 2, 3])), jpeg],
  [
    "stray bytes before the last scan",
    inserted(findMarkers(progressive, 0xda).at(-1)!, [1, 2], progressive),
    progressive,
  ],
  ["stray bytes before the end", inserted(jpeg.length - 2, [1, 2, 3]), jpeg],
  ["bytes after the end", joined(jpeg, [1, 2, 3]), jpeg],
  ["a second image after the end, as cameras add", joined(jpeg, progressive), jpeg],
  ["fill bytes before a marker", inserted(scan, [0xff, 0xff, 0xff]), jpeg],
  [
    "another revision of JFIF",
    inserted(
      2,
      segment(0xe0, joined(text("JFIF\0"), [2, 1, 0, 0, 1, 0, 1, 0, 0])),
      joined(
        jpeg.subarray(0, 2),
        jpeg.subarray(findMarkers(jpeg, 0xdb)[0]),
      ),
    ),
    jpeg,
  ],
  ["damaged EXIF data", inserted(2, segment(0xe1, text("Exif\0\0MMjunk"))), jpeg],
  [
    "a damaged colour profile",
    inserted(2, segment(0xe2, joined(text("ICC_PROFILE\0"), [2, 3], text("junk")))),
    jpeg,
  ],
];

Deno.test("JPEGs with stray bytes and other harmless faults are accepted and decoded like intact files", async (t) => {
  for (const [title, file, same] of HARMLESS) {
    await t.step(title, async () => {
      expect(await inspectImage(file)).toMatchObject({ width: 64, height: 64, channels: 3 });
      for (const imageSize of [4, 28, 64, 100]) {
        const input = { imageSize, channels: 3 } as const;
        expect(await decodeImage(file, input)).toEqual(await decodeImage(same, input));
      }
    });
  }
});

Deno.test("JPEGs with missing or damaged pixels are refused by name", async (t) => {
  const filled = (from: number, to: number, value: number) =>
    jpeg.map((byte, index) => index >= scan + from && index < scan + to ? value : byte);
  const files: [title: string, file: Bytes][] = [
    ["truncated in the scan", jpeg.slice(0, jpeg.length - 300)],
    ["without its end", jpeg.slice(0, -2)],
    ["a scan with foreign markers", filled(500, 700, 0xff)],
    ["a scan of bytes that are not a Huffman code", filled(500, 900, 0xfe)],
    ["progressive and truncated", progressive.slice(0, progressive.length - 200)],
    ["stray bytes, and truncated", inserted(2, [0, 0, 0], jpeg.slice(0, jpeg.length - 300))],
  ];
  for (const [title, file] of files) {
    await t.step(title, async () => {
      const error = await inspectImage(file).then(() => null, (error) => error);
      expect(error).toBeInstanceOf(ImageError);
      expect(error.message).toMatch(/cannot be decoded: .*(premature end|Corrupt JPEG|bad Huffman)/);
    });
  }
});

Deno.test("accepted images, even one pixel high or wide, can be decoded at every size and with all options", async (t) => {
  const { side } = IMAGE_LIMITS;
  for (const [width, height] of [[1, 1], [1, side], [side, 1], [3, 2000], [1, 5000]]) {
    await t.step(`${width} x ${height}`, async () => {
      const values = Uint8Array.from({ length: width * height }, () => 77);
      const file = await encodePng(values, width, height, 1);
      expect(await inspectImage(file)).toMatchObject({ width, height });
      for (const imageSize of [1, 28, 1024]) {
        for (const resize of RESIZE_MODES) {
          const decoded = await decodeImage(file, { imageSize, channels: 1 }, {
            resize,
            background: "#4d4d4d",
          });
          expect([resize, imageSize, decoded.length]).toEqual([resize, imageSize, imageSize ** 2]);
          expect(decoded.every((value) => value === 77)).toBe(true);
        }
      }
    });
  }
  const long = await encodePng(new Uint8Array(side + 1), 1, side + 1, 1);
  await expect(inspectImage(long)).rejects.toThrow(`is 1 x ${side + 1}: at most ${side} pixels per side`);
});

Deno.test("the error of an image that cannot be decoded is a complete sentence", async () => {
  const two = { width: 2, height: 2 }, rows = pngData([[1, 2], [3, 4]]);
  const wrong = pngFile(two, rows).map((byte, index) => index === 29 ? byte ^ 0xff : byte);
  const frame = findMarkers(jpeg, 0xc0)[0];
  const files: [Bytes, string][] = [
    [pngFile(two), "cannot be decoded: its header is damaged"],
    [pngFile({ ...two, depth: 3 }, rows), "cannot be decoded: its header is damaged"],
    [wrong, "cannot be decoded: its header is damaged (IHDR: CRC error)"],
    [pngFile({ width: 2, height: 9 }, rows), "cannot be decoded: its data is damaged"],
    [jpeg.slice(0, 20), "cannot be decoded: its header is damaged (premature end of JPEG image)"],
    [jpeg.slice(0, -50), "cannot be decoded: its data is damaged (premature end of JPEG image)"],
    [
      jpeg.map((byte, index) => index === frame + 4 ? 12 : byte),
      "cannot be decoded: Unsupported JPEG data precision 12",
    ],
  ];
  for (const [file, message] of files) {
    expect(await inspectImage(file).then(() => "accepted", (error) => error.message)).toBe(message);
  }
});

Deno.test("intact and damaged images are distinguished when they are inspected concurrently", async () => {
  const intact = inserted(scan, [1, 2, 3]);
  const damaged = [
    jpeg.subarray(0, jpeg.length * 2 / 3),
    inserted(scan + 200, [0xff, 0x00, 0x3f, 0xff, 0x12, 0x00, 0x77, 0xff, 0x00]),
    text("\x89PNG\r\n\x1a\njunk"),
  ].map((file) => new Uint8Array(file));
  const files = Array.from({ length: 96 }, (_, i) => i % 3 > 0 ? intact : damaged[i / 3 % damaged.length]);
  const results = await Promise.allSettled(files.map((file) => inspectImage(file)));
  expect(results.map(({ status }) => status)).toEqual(
    files.map((file) => file === intact ? "fulfilled" : "rejected"),
  );
});
