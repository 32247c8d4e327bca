/**
 * Groups 41 to 54: files, images and archives. Their contents are tested in `tests/data/`; these rows test the HTTP
 * responses.
 *
 * @module
 */
import { deflateSync, gzipSync } from "node:zlib";
import { pngChunk, pngFile } from "../../setup/png.ts";
import type { Bytes } from "../../../data/bytes.ts";
import { idx, idxDigits, pngDigit, tarGz } from "../../setup/uploads.ts";
import { zipOf } from "../../setup/zip.ts";
import { bytes, type Expected, inference, type Row, upload } from "./row.ts";

const good = idxDigits(20, "train");
const image = idx(0x803, [2, 2, 2], new Uint8Array(8));
const labels = (...list: number[]) => idx(0x801, [list.length], bytes(...list));
const png = await pngDigit(1);
const gz = (content: Bytes) => new Uint8Array(gzipSync(content));
const flat = pngChunk("IDAT", new Uint8Array(deflateSync(new Uint8Array(2))));

async function archive(
  group: number,
  title: string,
  name: string,
  content: Bytes,
  pattern: RegExp,
): Promise<Row> {
  return upload(
    group,
    title,
    { archive: await tarGz({ "a/0.png": png, [name]: content }) },
    "archive",
    pattern,
  );
}

const imageRow = (group: number, title: string, text: string, pattern: RegExp, status = 422) =>
  inference(
    group,
    title,
    "reconstructions",
    { pictures: [png.toBase64(), text] },
    "pictures.1",
    pattern,
    status,
  );

/** Creates a row with a raw multipart body. */
const form = (
  group: number,
  title: string,
  body: string,
  status: number,
  expected: Expected = {},
  boundary = "x",
): Row => ({
  group,
  title,
  send: (api) =>
    api.send("/v1/datasets", {
      method: "POST",
      headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
      body,
    }),
  status,
  ...expected,
});
const part = (disposition: string) =>
  `--x\r\nContent-Disposition: form-data; ${disposition}\r\n\r\nabc\r\n--x--\r\n`;

/** Files, images and archives. */
export const FILES: readonly Row[] = [
  upload(41, "no file", {}, "train_images", /archive/, { fields: { name: "x" } }),
  upload(41, "an empty file", { train_images: bytes() }, "train_images"),
  upload(41, "an empty archive", { archive: bytes() }, "archive", /empty/),
  upload(41, "labels without images", { train_labels: labels(0, 1) }, "train_images"),
  upload(
    41,
    "an archive beside IDX files",
    { archive: zipOf([]), train_images: image },
    "train_images",
    /together with archive/,
  ),
  upload(42, "a cut gzip file", { train_images: good.images.slice(0, 500) }, "train_images", /damaged/),
  upload(42, "a cut IDX file", { train_images: image.slice(0, 20) }, "train_images", /4 bytes.*declares 8/),
  upload(42, "a long IDX file", { train_images: bytes(...image, 1) }, "train_images", /longer/),
  await archive(
    44,
    "a PDF in an archive",
    "a/1.png",
    bytes(0x25, 0x50, 0x44, 0x46, 1),
    /1\.png.*PNG nor JPEG/,
  ),
  await archive(
    44,
    "a script that is a GIF",
    "a/1.png",
    new TextEncoder().encode("GIF89a=1;"),
    /PNG nor JPEG/,
  ),
  await archive(45, "a huge PNG", "a/1.png", pngFile({ width: 30_000, height: 30_000 }, flat), /pixels/),
  await archive(46, "a cut PNG", "a/1.png", png.slice(0, 60), /cannot be decoded/),
  await archive(
    46,
    "a PNG of width 0",
    "a/1.png",
    pngFile({ width: 0, height: 1 }, flat),
    /cannot be decoded/,
  ),
  imageRow(44, "a PDF", btoa("%PDF-1.7"), /PNG nor JPEG/),
  imageRow(44, "a GIF", btoa("GIF89a"), /PNG nor JPEG/),
  imageRow(45, "a huge PNG", pngFile({ width: 30_000, height: 30_000 }, flat).toBase64(), /pixels/),
  imageRow(46, "a PNG without data", pngFile({ width: 28, height: 28 }).toBase64(), /cannot be decoded/),
  imageRow(
    46,
    "a PNG with a wrong checksum",
    png.map((byte, i) => i === 29 ? byte ^ 1 : byte).toBase64(),
    /decoded/,
  ),
  imageRow(47, "not base64", "***", /base64/),
  imageRow(47, "base64 of another alphabet", "_-__", /base64/),
  imageRow(47, "a data URL of HTML", "data:text/html;base64,AAAA", /data URL/),
  imageRow(47, "a data URL of SVG", "data:image/svg+xml;base64,AAAA", /data URL/),
  imageRow(47, "a data URL without base64", "data:image/png,AAAA", /data URL/),
  imageRow(47, "an address", "https://example.com/1.png", /base64/),
  imageRow(47, "28 MB of base64", "A".repeat(28 * 2 ** 20), /at most 20971520 bytes/, 413),
  {
    group: 47,
    title: "a data URL of 100 MB",
    send: (api) =>
      api.post("/v1/embeddings", `{"pictures":["data:image/png;base64,${"A".repeat(100_000_000)}"]}`),
    status: 413,
    pattern: /33554432/,
  },
  upload(48, "labels as images", { train_images: good.labels }, "train_images", /label file/),
  upload(48, "images as labels", { train_images: image, train_labels: image }, "train_labels", /0x00000801/),
  upload(
    48,
    "a wrong magic number",
    { train_images: idx(0xd03, [1, 1, 1], bytes(1)) },
    "train_images",
    /0x00000d03/,
  ),
  upload(48, "negative counts", { train_images: idx(0x803, [0xffffffff, 28, 28], bytes(1)) }, "train_images"),
  upload(
    48,
    "a header of terabytes",
    { train_images: idx(0x803, [10_000_000, 4096, 4096], bytes(1)) },
    "train_images",
    /at most/,
  ),
  upload(
    48,
    "fewer labels than images",
    { train_images: image, train_labels: labels(0) },
    "train_labels",
    /1 labels/,
  ),
  upload(
    37,
    "a label below 0",
    { train_images: image, train_labels: idx(0x901, [2], bytes(0, 255)) },
    "train_labels",
    /label -1/,
  ),
  upload(
    37,
    "a test label that is not trained",
    { train_images: image, train_labels: labels(0, 1), test_images: image, test_labels: labels(1, 2) },
    "test_labels",
    /one is 2/,
  ),
  upload(
    37,
    "test images of another size",
    { train_images: image, test_images: idx(0x803, [1, 4, 2], new Uint8Array(8)) },
    "test_images",
    /height 2/,
  ),
  await archive(49, "a path that leaves the archive", "../1.png", png, /leaves/),
  await archive(49, "an absolute path", "/etc/1.png", png, /absolute/),
  await archive(49, "a drive's path", "C:\\1.png", png, /backslash/),
  upload(
    49,
    "a link in a zip",
    { archive: zipOf([{ name: "a/1.png", bytes: png, mode: 0o120777 }]) },
    "archive",
    /link/,
  ),
  upload(50, "no archive", { archive: bytes(1, 2, 3) }, "archive", /neither a zip nor a tar/),
  upload(
    50,
    "a cut tar.gz",
    { archive: (await tarGz({ "a/1.png": png })).slice(0, 200) },
    "archive",
    /damaged/,
  ),
  upload(51, "gzip in gzip", { train_images: gz(good.images) }, "train_images", /twice/),
  upload(
    51,
    "bytes behind the gzip data",
    { train_images: bytes(...gz(image), 1, 2) },
    "train_images",
    /gzip/,
  ),
  upload(
    51,
    "64 MB of zeros, gzipped to 64 KB, behind the images",
    { train_images: gz(idx(0x803, [2, 2, 2], new Uint8Array(2 ** 26))) },
    "train_images",
    /longer than/,
  ),
  upload(
    52,
    "an archive without an image",
    { archive: await tarGz({ "a/.DS_Store": bytes(1) }) },
    "archive",
  ),
  upload(54, "a direction mark in a file name", { train_images: image }, "train_images", /file name/, {
    filename: "a\u202egnp.exe",
  }),
  upload(54, "a file name of 1,000 characters", { train_images: image }, "train_images", /file name/, {
    filename: "a".repeat(1000),
  }),
  form(54, "a line break in a file name", part('name="train_images"; filename="a\r\nX-Evil: 1"'), 422, {
    path: "train_images",
  }),
  form(42, "an incomplete form", part('name="train_images"; filename="a"').slice(0, 70), 400),
  form(42, "a form of another boundary", part('name="train_images"; filename="a"'), 400, {}, "y"),
  form(55, "a part without a name", part('filename="a"'), 422, { pattern: /must have a field name/ }),
  form(
    55,
    "a repeated file",
    `${part('name="train_images"; filename="a"').slice(0, -8)}\r\n${
      part('name="train_images"; filename="a"')
    }`,
    422,
    { path: "train_images", pattern: /more than once/ },
  ),
  upload(18, "an unknown file field", { images: image }, "images"),
  upload(18, "an unknown text field", { train_images: image }, "color", undefined, {
    fields: { color: "red" },
  }),
  upload(8, "__proto__ as a field", { train_images: image }, "__proto__", undefined, {
    fields: Object.fromEntries([["__proto__", "x"]]),
  }),
  ...[["held_out", "0.7"], ["held_out", "-0.1"], ["held_out", "NaN"], ["seed", "-1"], ["seed", "1.5"], [
    "name",
    "",
  ]]
    .map(([field, value]) =>
      upload(20, `${field} '${value}'`, { train_images: image }, field, undefined, {
        fields: { [field]: value },
      })
    ),
  upload(54, "a name with a line break", { train_images: image }, "name", undefined, {
    fields: { name: "a\nb" },
  }),
  upload(11, "a field of 5 KB", { train_images: image }, "name", /4096/, {
    fields: { name: "x".repeat(5000) },
    status: 413,
  }),
  {
    group: 10,
    title: "an upload that is no form",
    send: (api) => api.post("/v1/datasets", { name: "x" }),
    status: 415,
    pattern: /multipart/,
  },
  {
    group: 10,
    title: "a form without a boundary",
    send: (api) =>
      api.send("/v1/datasets", {
        method: "POST",
        headers: { "content-type": "multipart/form-data" },
        body: "x",
      }),
    status: 400,
  },
];
