import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import type { DatasetError } from "../../../data/datasets/dataset.ts";
import { idx, idxIntegers, qmnistLabels } from "../../setup/uploads.ts";
import { TempStore } from "./fixtures.ts";
import { append, COLOUR, gz, IMAGES, images, LABELS, labels, pixels, upload } from "./sixImages.ts";

const NEGATIVE = 0xffffffff;
const cut = (bytes: Bytes, count: number): Bytes => bytes.slice(0, -count);

const REFUSED: [title: string, parts: Record<string, Bytes>, field: string, message: RegExp][] = [
  ["no bytes", { train_images: new Uint8Array(0) }, "train_images", /too short/],
  ["three bytes", { train_images: Uint8Array.of(0, 0, 8) }, "train_images", /too short/],
  ["half a header", { train_images: images.slice(0, 10) }, "train_images", /inside its header/],
  [
    "half a header in colour",
    { train_images: idx(COLOUR, [1, 2, 2], Uint8Array.of(0)) },
    "train_images",
    /inside its header/,
  ],
  [
    "half a label header",
    { train_images: images, train_labels: labels.slice(0, 6) },
    "train_labels",
    /header/,
  ],
  [
    "another magic number",
    { train_images: idx(0xd03, [6, 2, 3], pixels) },
    "train_images",
    /begins with 0x00000d03.*32-bit floats: images must be unsigned bytes/,
  ],
  [
    "16-bit images",
    { train_images: idx(0xb03, [6, 2, 3], pixels) },
    "train_images",
    /16-bit integers: images/,
  ],
  [
    "images of five dimensions",
    { train_images: idx(0x805, [1, 1, 1, 1, 1], pixels) },
    "train_images",
    /has 5 dim/,
  ],
  [
    "a type that IDX does not have",
    { train_images: idx(0xa03, [6, 2, 3], pixels) },
    "train_images",
    /0x00000a03/,
  ],
  ...([["float", 0xd01, /32-bit floats: labels must be integers/], [
    "double",
    0xe01,
    /64-bit floats/,
  ]] as const)
    .map(([type, magic, message]): [string, Record<string, Bytes>, string, RegExp] => [
      `${type} labels`,
      { train_images: images, train_labels: idx(magic, [6], new Uint8Array(48)) },
      "train_labels",
      message,
    ]),
  [
    "one-hot labels",
    { train_images: images, train_labels: idx(0x802, [6, 3], new Uint8Array(18)) },
    "train_labels",
    /rows of 3 unsigned bytes/,
  ],
  [
    "labels in half a row",
    { train_images: images, train_labels: cut(qmnistLabels([0, 1, 2, 0, 1, 2]), 4) },
    "train_labels",
    /188 bytes.*declares 192/,
  ],
  [
    "a negative label",
    { train_images: images, train_labels: idxIntegers(0xb01, 2, [0, 1, 2, -1, 1, 2]) },
    "train_labels",
    /label -1: labels must be 0 to 65535/,
  ],
  [
    "a label too large",
    { train_images: images, train_labels: idxIntegers(0xc01, 4, [0, 1, 2, 65536, 1, 2]) },
    "train_labels",
    /label 65536/,
  ],
  [
    "an image",
    { train_images: Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10) },
    "train_images",
    /IDX/,
  ],
  [
    "a zip",
    { train_images: Uint8Array.of(0x50, 0x4b, 3, 4, 20) },
    "train_images",
    /is a zip file: unpack it/,
  ],
  [
    "xz labels",
    { train_images: images, train_labels: Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a) },
    "train_labels",
    /xz/,
  ],
  ["labels as images", { train_images: labels }, "train_images", /0x00000803.*it is a label file/],
  [
    "images as labels",
    { train_images: images, train_labels: images },
    "train_labels",
    /0x00000801.*it is an image file/,
  ],
  ["a byte too few", { train_images: cut(images, 1) }, "train_images", /35 bytes.*declares 36/],
  ["a byte too many", { train_images: append(images, 0) }, "train_images", /longer than the 36 bytes/],
  ["no pixels", { train_images: images.slice(0, 16) }, "train_images", /0 bytes.*declares 36/],
  ["a label too few", { train_images: images, train_labels: cut(labels, 1) }, "train_labels", /declares 6/],
  [
    "a label too many",
    { train_images: images, train_labels: append(labels, 0) },
    "train_labels",
    /longer than/,
  ],
  ["gzip within gzip", { train_images: gz(gz(images)) }, "train_images", /gzipped twice/],
  ["labels gzipped twice", { train_images: images, train_labels: gz(gz(labels)) }, "train_labels", /twice/],
  ["bytes after the gzip data", { train_images: append(gz(images), 1, 2, 3) }, "train_images", /gzip/],
  [
    "bytes after zeros after the gzip data",
    { train_images: append(gz(images), 0, 0, 9) },
    "train_images",
    /gzip/,
  ],
  ["gzip truncated in its header", { train_images: gz(images).slice(0, 5) }, "train_images", /gzip/],
  ["gzip truncated in its data", { train_images: cut(gz(images), 20) }, "train_images", /gzip/],
  ["gzip truncated in its checksum", { train_images: cut(gz(images), 1) }, "train_images", /gzip/],
  [
    "a wrong gzip checksum",
    { train_images: gz(images).map((byte, i, all) => i === all.length - 8 ? byte ^ 1 : byte) },
    "train_images",
    /gzip/,
  ],
  [
    "fewer labels than images",
    { train_images: images, train_labels: idx(LABELS, [5], Uint8Array.of(0, 1, 2, 0, 1)) },
    "train_labels",
    /5 labels for the 6 images of train_images/,
  ],
  [
    "fewer test labels than images",
    {
      train_images: images,
      train_labels: labels,
      test_images: images,
      test_labels: idx(LABELS, [1], Uint8Array.of(0)),
    },
    "test_labels",
    /1 labels for the 6 images of test_images/,
  ],
  [
    "a test label that is not trained on",
    {
      train_images: images,
      train_labels: labels,
      test_images: images,
      test_labels: idx(LABELS, [6], Uint8Array.of(0, 1, 2, 3, 4, 5)),
    },
    "test_labels",
    /\(0, 1, 2\): one is 3/,
  ],
  [
    "test images of another width",
    { train_images: images, test_images: idx(IMAGES, [6, 2, 2], new Uint8Array(24)) },
    "test_images",
    /width 3.*it has 2/,
  ],
  [
    "test images in colour",
    { train_images: images, test_images: idx(COLOUR, [1, 2, 3, 3], new Uint8Array(18)) },
    "test_images",
    /channels 1/,
  ],
  ["no images", { train_images: idx(IMAGES, [0, 2, 3], new Uint8Array(0)) }, "train_images", /0 images/],
  [
    "-1 images",
    { train_images: idx(IMAGES, [NEGATIVE, 2, 3], pixels) },
    "train_images",
    /4294967295 images/,
  ],
  ["-1 rows", { train_images: idx(IMAGES, [6, NEGATIVE, 3], pixels) }, "train_images", /4294967295 rows/],
  [
    "-1 columns",
    { train_images: idx(IMAGES, [6, 2, NEGATIVE], pixels) },
    "train_images",
    /4294967295 columns/,
  ],
  [
    "-1 everything",
    { train_images: idx(COLOUR, [NEGATIVE, NEGATIVE, NEGATIVE, NEGATIVE], pixels) },
    "train_images",
    /4294967295/,
  ],
  [
    "two channels",
    { train_images: idx(COLOUR, [1, 2, 2, 2], new Uint8Array(8)) },
    "train_images",
    /2 channels/,
  ],
  [
    "-1 labels",
    { train_images: images, train_labels: idx(LABELS, [NEGATIVE], pixels) },
    "train_labels",
    /labels/,
  ],
];

Deno.test("invalid IDX files are refused with field and cause, and nothing remains stored", async (t) => {
  for (const [title, parts, field, message] of REFUSED) {
    await t.step(title, async () => {
      await using temp = await TempStore.open();
      const error = await upload(temp, parts).then(() => null, (error: DatasetError) => error);
      expect([error?.name, error?.field, error?.message]).toEqual([
        "DatasetError",
        field,
        expect.stringMatching(message),
      ]);
      expect(await temp.keys()).toEqual([]);
    });
  }
});
