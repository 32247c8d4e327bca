import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import type { UploadOptions } from "../../../data/datasets/upload/uploadOptions.ts";
import { encodePng } from "../../../data/images/encodePng.ts";
import { flat, tarOf } from "../../setup/archives.ts";
import { pngDigit } from "../../setup/uploads.ts";
import { type ZipEntry, zipOf } from "../../setup/zip.ts";
import { expectArchiveRefused, TempStore } from "./fixtures.ts";

const [dark, light] = [await flat(10), await flat(240)];
const red = await encodePng(
  Uint8Array.from({ length: 6 * 6 * 3 }, (_, i) => i % 3 === 0 ? 255 : 0),
  6,
  6,
  3,
);

const gz = (bytes: Uint8Array): Bytes => new Uint8Array(gzipSync(bytes));
const zip = (...names: string[]): Bytes => zipOf(names.map((name) => ({ name, bytes: dark })));
const tar = (...names: string[]): Promise<Bytes> => tarOf(...names.map((name) => ({ name })));

const upload = async (temp: TempStore, archive: Bytes, options: UploadOptions = {}) =>
  await createDataset(await temp.files({ archive }), options, temp.store);

Deno.test("the images of an archive are read in the input shape of the model", async () => {
  await using temp = await TempStore.open();
  const wide = new Uint8Array(
    await sharp(new Uint8Array(20 * 10).fill(120), { raw: { width: 20, height: 10, channels: 1 } })
      .jpeg({ quality: 100 }).toBuffer(),
  );
  const archive = await tarOf(
    { name: "b/wide.JPG", bytes: wide },
    { name: "a/red.png", bytes: red },
    { name: "b/dark.png", bytes: dark },
    { name: "a/light.png", bytes: light },
  );
  const info = await upload(temp, gz(archive), { heldOut: 0 });
  expect(info).toMatchObject({ height: null, width: null, channels: 3, classNames: ["a", "b"] });
  const dataset = await new DatasetCatalogue(temp.store).open({ id: info.id });
  for (const imageSize of [2, 4, 9]) {
    const input = { imageSize, channels: 3 } as const;
    const all = await dataset.load("train", input);
    expect([...all.labels!]).toEqual([0, 0, 1, 1]);
    // In the order of their names: a/light, a/red, b/dark, b/wide.
    const colours = [[240, 240, 240], [255, 0, 0], [10, 10, 10], [120, 120, 120]];
    const values = imageSize ** 2 * 3;
    colours.forEach((colour, row) => {
      for (let i = 0; i < values; i++) {
        expect(Math.abs(all.pixels[row * values + i] - colour[i % 3])).toBeLessThan(3);
      }
    });
    const some = await dataset.read("train", [3, 1], input);
    expect(some.pixels.subarray(0, values)).toEqual(all.pixels.subarray(3 * values));
    expect(some.pixels.subarray(values)).toEqual(all.pixels.subarray(values, 2 * values));
    expect([...some.labels!]).toEqual([1, 0]);
  }
  expect((await dataset.load("train", { imageSize: 4, channels: 1 })).pixels.subarray(0, 16)).toEqual(
    new Uint8Array(16).fill(240),
  );
});

Deno.test("the seed determines the held-out images of an archive, and every image is in one split", async () => {
  await using temp = await TempStore.open();
  const imageFiles = await Promise.all(
    Array.from(
      { length: 20 },
      async (_, i) => ({ name: `${i % 2}/${i + 10}.png`, bytes: await flat(i * 10) }),
    ),
  );
  const archive = await tarOf(...imageFiles);
  const input = { imageSize: 4, channels: 1 } as const;
  const load = async (seed: number) => {
    const { id } = await upload(temp, archive, { heldOut: 0.25, seed });
    const dataset = await new DatasetCatalogue(temp.store).open({ id });
    const [train, test] = [await dataset.load("train", input), await dataset.load("test", input)];
    const rows = (set: typeof train) =>
      Array.from(set.labels!, (label, row) => {
        expect(set.pixels[row * 16] / 10 % 2).toBe(label);
        return set.pixels[row * 16] / 10;
      });
    return { train: rows(train), test: rows(test) };
  };
  const one = await load(1), two = await load(2);
  expect([one.train.length, one.test.length]).toEqual([15, 5]);
  expect([...one.train, ...one.test].sort((a, b) => a - b)).toEqual([...Array(20).keys()]);
  expect(await load(1)).toEqual(one);
  expect(two.test).not.toEqual(one.test);
});

const LAYOUTS: [title: string, names: string[], classNames: string[], train: number, test: number][] = [
  ["folders", ["a/1.png", "b/1.png"], ["a", "b"], 2, 0],
  ["nested folders", ["x/y/a/1.png", "x/y/b/1.png", "x/y/b/deep/2.png"], ["a", "b"], 3, 0],
  ["Train and Test", ["Train/a/1.png", "Train/b/1.png", "Test/a/1.png"], ["a", "b"], 2, 1],
  [
    "train and valid below a root",
    ["r/train/a/1.png", "r/train/b/1.png", "r/valid/b/1.png"],
    ["a", "b"],
    2,
    1,
  ],
  ["train and test without classes", ["train/1.png", "train/2.png", "test/1.png"], [], 2, 1],
  ["only train", ["train/a/1.png", "train/b/1.png"], ["a", "b"], 2, 0],
  ["flat", ["1.png", "2.png"], [], 2, 0],
  ["dots and double slashes", ["./a/./1.png", "a//2.png", "b/1.png"], ["a", "b"], 3, 0],
  ["names beyond ASCII", ["große/ü.png", "小/1.png"], ["große", "小"], 2, 0],
  [
    "a class with the name of an object property",
    ["a/1.png", "constructor/1.png"],
    ["a", "constructor"],
    2,
    0,
  ],
];

Deno.test("folders are classes and splits in zip and tar", async (t) => {
  for (const [title, names, classNames, train, test] of LAYOUTS) {
    await t.step(title, async () => {
      await using temp = await TempStore.open();
      for (const archive of [zip(...names), await tar(...names)]) {
        const info = await upload(
          temp,
          archive,
          names.some((name) => /test|valid/i.test(name)) ? {} : { heldOut: 0 },
        );
        expect(info).toMatchObject({
          classNames,
          numClasses: classNames.length,
          labelled: classNames.length > 0,
          splits: { train: { count: train }, test: { count: test } },
        });
      }
    });
  }
});

Deno.test("files of desktops and archivers are skipped", async () => {
  await using temp = await TempStore.open();
  const toolFiles = [
    "__MACOSX/a/._1.png",
    ".DS_Store",
    "a/.DS_Store",
    "a/._1.png",
    "a/Thumbs.db",
    "b/desktop.ini",
  ].map((name) => ({ name, bytes: Uint8Array.of(1, 2, 3) }));
  const imageFiles = [{ name: "a/1.png", bytes: dark }, { name: "b/1.png", bytes: light }];
  const folders = [{ name: "a/", bytes: new Uint8Array(0), mode: 0o040755 }];
  const archives = [
    zipOf([...folders, ...toolFiles, ...imageFiles]),
    await tarOf({ name: "a", type: "directory" }, ...toolFiles, ...imageFiles),
  ];
  for (const archive of archives) {
    const info = await upload(temp, archive, { heldOut: 0 });
    expect([info.classNames, info.splits.train.count]).toEqual([["a", "b"], 2]);
  }
});

Deno.test("the images of a zip may be compressed", async () => {
  await using temp = await TempStore.open();
  const info = await upload(
    temp,
    zipOf([{ name: "a/1.png", bytes: dark, deflated: true }, {
      name: "b/1.png",
      bytes: light,
      deflated: true,
    }]),
    { heldOut: 0 },
  );
  const dataset = await new DatasetCatalogue(temp.store).open({ id: info.id });
  const { pixels } = await dataset.load("train", { imageSize: 4, channels: 1 });
  expect([pixels[0], pixels[16]]).toEqual([10, 240]);
});

/** Replaces bytes of the first header of a tar, and updates its checksum. */
function header(tar: Bytes, offset: number, ...bytes: number[]): Bytes {
  const copy = tar.slice();
  copy.set(bytes, offset);
  copy.fill(0x20, 148, 156);
  const sum = copy.subarray(0, 512).reduce((sum, byte) => sum + byte, 0);
  copy.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return copy;
}
const flipped = (bytes: Bytes, offset: number): Bytes =>
  bytes.map((byte, i) => i === offset ? byte ^ 1 : byte);
const ascii = (text: string) => [...new TextEncoder().encode(text)];

const one = await tar("a/1.png"), two = await tar("a/1.png", "b/1.png");
/** Size of a header and a block of content. */
const ENTRY = 1024;
const jpeg = new Uint8Array(
  await sharp(Uint8Array.from({ length: 4096 }, (_, i) => (i * i) % 251), {
    raw: { width: 64, height: 64, channels: 1 },
  }).jpeg().toBuffer(),
);
const zippedJpeg = zipOf([{ name: "a/1.jpg", bytes: jpeg }]);
const bomb: ZipEntry = { name: "a/1.png", bytes: new Uint8Array(21 * 2 ** 20), deflated: true };

/** Names that are refused, and the error messages. */
const NAMES: [name: string, message: RegExp][] = [
  ["../1.png", /'?\.\.\/1\.png/],
  ["a/../../1.png", /a\/\.\.\/\.\.\/1\.png/],
  ["a/..", /a\/\.\./],
  ["/abs/1.png", /\/abs\/1\.png/],
  ["//host/1.png", /\/\/host/],
  ["C:\\1.png", /C:\\1\.png/],
  ["c:1.png", /c:1\.png/],
  ["a\\..\\1.png", /a\\/],
  ["a/1\n.png", /a\/1\?\.png.*control/],
  ["a/1\u001b[31m.png", /a\/1\?\[31m\.png.*control/],
  ["a/\u202egnp.1", /a\/\?gnp\.1.*direction/],
  ["a/\u200b1.png", /a\/\?1\.png.*control/],
  [`a/${"x".repeat(2000)}.png`, /'a\/x+'.*1024 characters/],
];

const REFUSED: [title: string, archive: () => Bytes | Promise<Bytes>, message: RegExp][] = [
  ["no bytes", () => new Uint8Array(0), /is empty.*zip, tar or tar\.gz/],
  ["an image", () => dark, /neither a zip nor a tar/],
  ["a rar", () => Uint8Array.from(ascii("Rar!\x1a\x07\x01\0")), /^is a RAR archive: send images as zip/],
  [
    "a 7z",
    () => Uint8Array.of(0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0, 4),
    /^is a 7z archive: send images as zip/,
  ],
  [
    "a tar.xz",
    () => Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0),
    /^is compressed with xz: send images as zip/,
  ],
  ["a tar.bz2", () => Uint8Array.from(ascii("BZh91AY")), /^is compressed with bzip2: send images as zip/],
  ["a tar.zst", () => Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), /^is compressed with Zstandard: send images/],
  [
    "a zip with bytes after its end",
    () => Uint8Array.from([...zip("a/1.png"), 1, 2]),
    /^is damaged: the file has more bytes after the end of the zip$/,
  ],
  ["a truncated zip", () => zip("a/1.png").slice(0, -30), /^is damaged: the end of the zip is missing/],
  [
    "a zip that declares a wrong size",
    () => zipOf([{ name: "a/1.png", bytes: dark, deflated: true, size: 5 }]),
    /^is damaged: an entry's size differs from its declared size$/,
  ],
  ["gzip of something else", () => gz(new Uint8Array(600).fill(7)), /gzipped, but contains no tar/],
  ["a gzipped image", () => gz(dark), /gzipped, but contains no tar/],
  ["a small tar.gz gzipped again", () => gz(gz(one)), /gzipped twice/],
  ["a tar.gz gzipped again", () => gz(noisy(gz(one))), /gzipped twice/],
  ["an empty zip", () => zipOf([]), /no PNG or JPEG image/],
  ["only folders", () => tarOf({ name: "a", type: "directory" }), /no PNG or JPEG image/],
  [
    "an archive in an archive",
    () => tarOf({ name: "a/1.zip", bytes: zip("1.png") }),
    /no PNG or JPEG image.*a\/1\.zip/,
  ],
  [
    "a text file in place of an image",
    () => tarOf({ name: "a/1.png" }, { name: "b/2.png", bytes: text("<html>not found</html>") }),
    /b\/2\.png.*neither PNG nor JPEG/,
  ],
  [
    "an image of another kind",
    () => tarOf({ name: "a/1.png" }, { name: "b/2", bytes: text("GIF89a and so on") }),
    /b\/2'.*neither PNG nor JPEG/,
  ],
  ["an empty image", () => tarOf({ name: "a/1.png", bytes: new Uint8Array(0) }), /a\/1\.png.*is empty/],
  ["a damaged image", () => tarOf({ name: "a/1.png", bytes: dark.slice(0, -16) }), /a\/1\.png.*decoded/],
  [
    "a damaged image in a zip",
    () => zipOf([{ name: "a/1.png", bytes: dark.slice(0, -16) }]),
    /1\.png.*decoded/,
  ],

  ["a NUL in a zip's name", () => zip("a/\0.png"), /a\/\?\.png.*control/],
  ["a NUL in a long tar name", () => tarOf({ name: "a/1.png", pax: { path: "a/\0.png" } }), /control/],
  [
    "a long tar name that leaves the archive",
    () => tarOf({ name: "a/1.png", pax: { path: "../1.png" } }),
    /leaves/,
  ],
  ["a name of bytes that are not UTF-8", () => header(one, 2, 0xff, 0xfe), /UTF-8/],
  ["a file without a name", () => tar("."), /without a name/],
  ["a file without a name in a zip", () => zip("."), /without a name/],

  [
    "a symbolic link",
    () => tarOf({ name: "a/l.png", type: "symlink", linkname: "/etc/passwd" }),
    /l\.png.*symlink/,
  ],
  ["a hard link", () => tarOf({ name: "a/l.png", type: "link", linkname: "a/1.png" }), /l\.png.*link/],
  ["a character device", () => tarOf({ name: "a/d", type: "character-device" }), /a\/d.*device/],
  ["a block device", () => tarOf({ name: "a/d", type: "block-device" }), /a\/d.*device/],
  ["a FIFO", () => tarOf({ name: "a/f", type: "fifo" }), /a\/f.*fifo/],
  ["a sparse file", () => header(one, 156, ...ascii("S")), /a\/1\.png.*unknown type/],
  ...([["link", 0o120777], ["device", 0o020644], ["FIFO", 0o010644], ["socket", 0o140644]] as const).map((
    [title, mode],
  ): [string, () => Bytes, RegExp] => [
    `a ${title} in a zip`,
    () => zipOf([{ name: "a/l.png", bytes: dark, mode }]),
    /a\/l\.png.*link or a device/,
  ]),

  ["a repeated name", () => tar("a/1.png", "b/1.png", "a/1.png"), /a\/1\.png' twice/],
  ["a repeated name in a zip", () => zip("a/1.png", "a/1.png"), /a\/1\.png' twice/],
  ["a repeated name, once with a dot", () => tar("a/1.png", "a/./1.png"), /twice/],
  ["names that differ in their accents' input", () => tar("a/\u00e9.png", "a/e\u0301.png"), /é\.png' twice/],

  ["a tar with a wrong checksum", () => one.map((byte, i) => i === 0 ? byte ^ 2 : byte), /damaged.*header/],
  ["a size that is not a number", () => header(one, 124, ...ascii("zzzzzzzzzzz")), /damaged/],
  ["a size below 0", () => header(one, 124, ...ascii("-0000000001")), /damaged/],
  ["a binary size below 0", () => header(one, 124, ...new Array<number>(12).fill(0xff)), /damaged|empty/],
  ["a size of 8 GiB", () => header(one, 124, ...ascii("77777777777")), /1\.png.*more than 20971520 bytes/],
  ["a pax size that is not a number", () => tarOf({ name: "a/1.png", pax: { size: "-5" } }), /damaged/],
  ["a tar truncated in its first header", () => two.slice(0, 300), /damaged|neither/],
  ["a tar truncated in its content", () => two.slice(0, 600), /damaged/],
  ["a tar truncated in its second header", () => two.slice(0, ENTRY + 100), /damaged/],
  ["a tar truncated between two entries", () => two.slice(0, ENTRY), /damaged.*ends/],
  ["a tar truncated at its last entry", () => two.slice(0, 2 * ENTRY), /damaged.*ends/],
  ["a tar.gz truncated between two entries", () => gz(two.slice(0, ENTRY)), /damaged.*ends/],
  ["a tar.gz truncated in the middle", () => gz(two).slice(0, 60), /damaged.*gzip/],
  ["a tar.gz truncated at its last byte", () => gz(two).slice(0, -1), /damaged.*gzip/],
  ["bytes after a tar.gz", () => Uint8Array.from([...gz(two), 1, 2, 3]), /gzip/],

  ["an encrypted entry", () => zipOf([{ name: "a/1.png", bytes: dark, flags: 1 }]), /a\/1\.png.*encrypted/],
  [
    "an unsupported compression method",
    () => method(zip("a/1.png"), 9),
    /a\/1\.png.*Deflate64.*with Deflate/,
  ],
  ["strong encryption", () => zipOf([{ name: "a/1.png", bytes: dark, flags: 0x41 }]), /^is encrypted/],
  ["a part of a zip", () => part(zip("a/1.png")), /^is one part of a multi-part zip/],
  ["a zip truncated in the middle", () => zip("a/1.png", "b/1.png").slice(0, 150), /damaged/],
  ["a zip truncated at its last byte", () => zip("a/1.png").slice(0, -1), /damaged/],
  ["bytes after a zip", () => Uint8Array.from([...zip("a/1.png"), 1, 2, 3]), /damaged/],
  [
    "a zip whose content does not match its checksum",
    () => flipped(zippedJpeg, 37 + jpeg.length - 100),
    /1\.jpg.*checksum/,
  ],
  ["an image above the maximum size", () => zipOf([bomb]), /a\/1\.png.*more than 20971520 bytes/],
  ["an image larger than its declared size", () => zipOf([{ ...bomb, size: 100 }]), /damaged/],

  [
    "images inside and outside of folders",
    () => zip("a/1.png", "2.png"),
    /a\/1\.png.*outside of them.*2\.png/,
  ],
  [
    "a class without training images",
    () => zip("train/a/1.png", "test/b/1.png"),
    /training image of the class 'b'/,
  ],
  ["no training images", () => zip("test/a/1.png", "val/a/1.png"), /no training images/],
];

/** Appends a gzip member, so that the file has more than a block. Several members are read as one. */
function noisy(gzipped: Bytes): Bytes {
  return Uint8Array.from([...gzipped, ...gz(crypto.getRandomValues(new Uint8Array(1000)))]);
}

/** Changes the compression method in the directory of a zip of one entry. */
function method(zip: Bytes, method: number): Bytes {
  const copy = zip.slice(), view = new DataView(copy.buffer);
  view.setUint16(view.getUint32(copy.length - 6, true) + 10, method, true);
  return copy;
}

/** Marks a zip as the second disk of a multi-part zip. */
function part(zip: Bytes): Bytes {
  const copy = zip.slice();
  new DataView(copy.buffer).setUint16(copy.length - 18, 1, true);
  return copy;
}

function text(content: string): Bytes {
  return Uint8Array.from(ascii(content));
}

Deno.test("unsafe names are refused in zip and tar, and nothing remains stored", async (t) => {
  for (const [name, message] of NAMES) {
    await t.step(JSON.stringify(name.slice(0, 20)), async () => {
      expect(await expectArchiveRefused(zip("b/0.png", name))).toMatch(message);
      expect(await expectArchiveRefused(await tar("b/0.png", name))).toMatch(message);
    });
  }
});

Deno.test("invalid archives are refused with the name of the entry, and nothing remains stored", async (t) => {
  for (const [title, archive, message] of REFUSED) {
    await t.step(title, async () => {
      expect(await expectArchiveRefused(await archive())).toMatch(message);
    });
  }
});

Deno.test("an aborted upload of an archive leaves nothing stored", async () => {
  await using temp = await TempStore.open();
  const imageFiles = await Promise.all(
    Array.from({ length: 5 }, async (_, i) => ({ name: `a/${i}.png`, bytes: await pngDigit(i) })),
  );
  const client = new AbortController();
  const files = await temp.files({ archive: await tarOf(...imageFiles) });
  const store = new Proxy(temp.store, {
    get(target, name) {
      if (name !== "put") return Reflect.get(target, name).bind(target);
      return (...put: Parameters<typeof target.put>) => {
        client.abort(new Error("the client disconnected"));
        return target.put(...put);
      };
    },
  });
  await expect(createDataset(files, {}, store, client.signal)).rejects.toThrow("disconnected");
  expect(await temp.keys()).toEqual([]);
});
