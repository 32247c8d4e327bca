import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { crc32 } from "node:zlib";
import { flat, tarOf } from "../../setup/archives.ts";
import { type ZipEntry, zipOf } from "../../setup/zip.ts";
import { expectArchiveRefused, uploadArchive } from "./fixtures.ts";

const [dark, light] = [await flat(10), await flat(240)];
const utf8 = (text: string): Bytes => new TextEncoder().encode(text);
const latin = (text: string): Bytes => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

const upload = (archive: Bytes) => uploadArchive(archive, { heldOut: 0 });

/** Creates a zip of two classes, one of them with a raw name. */
const named = (rawName: Bytes, more: Partial<ZipEntry> = {}) =>
  zipOf([{ name: "", rawName, bytes: dark, ...more }, { name: "z/1.png", bytes: light }]);

/** Creates Info-ZIP's Unicode Path Extra Field for a name. */
function unicodePath(plain: Uint8Array, name: string, checksum = crc32(plain)): Bytes {
  const text = utf8(name);
  const field = new DataView(new ArrayBuffer(9 + text.length));
  field.setUint16(0, 0x7075, true);
  field.setUint16(2, 5 + text.length, true);
  field.setUint8(4, 1);
  field.setUint32(5, checksum, true);
  new Uint8Array(field.buffer).set(text, 9);
  return new Uint8Array(field.buffer);
}

Deno.test("hidden and tool-made files and folders are skipped at any depth and in any case", async () => {
  const hidden = [
    ...[".ipynb_checkpoints/1.png", "cat/.ipynb_checkpoints/1-checkpoint.png", "cat/@eaDir/1.png/THUMB.jpg"],
    ...[
      "__MACOSX/cat/._1.png",
      "cat/deep/__macosx/x.png",
      "cat/.thumbnails/t.png",
      "cat/1.png~",
      ".git/x.png",
    ],
    ...["$RECYCLE.BIN/x.png", "System Volume Information/x.png", "lost+found/x.png", "dog/Thumbs.db"],
    ...[
      "dog/THUMBS.DB",
      "Desktop.ini",
      "dog/desktop.INI",
      "cat/.DS_Store",
      "#recycle/cat/1.png",
      "cat/Icon\r",
    ],
  ];
  const entries = ["cat/1.png", "dog/1.png", ...hidden].map((name) => ({ name, bytes: dark }));
  for (const archive of [zipOf(entries), await tarOf(...entries)]) {
    const info = await upload(archive);
    expect([info.classNames, info.splits.train.count]).toEqual([["cat", "dog"], 2]);
    expect(info.layout!.passedOver).toEqual([{ reason: "hidden", count: hidden.length, example: hidden[0] }]);
  }
});

Deno.test("files that are not images by their bytes are skipped and counted", async () => {
  const others = [
    "README.md",
    "LICENSE",
    "cat/labels.csv",
    "cat/notes.txt",
    "dog/meta.json",
    "dog/paper.pdf",
  ];
  const entries = [
    ...others.map((name) => ({ name, bytes: utf8("Some words about the data, more than a few of them.") })),
    { name: "dog/empty.txt", bytes: new Uint8Array(0) },
    { name: "clip.mp4", bytes: new Uint8Array(25 * 2 ** 20), deflated: true },
    { name: "cat/1.png", bytes: dark },
    { name: "cat/image without an ending", bytes: light },
    { name: "dog/1.png", bytes: light },
  ];
  for (const archive of [zipOf(entries), await tarOf(...entries)]) {
    const info = await upload(archive);
    expect([info.classNames, info.splits.train.count]).toEqual([["cat", "dog"], 3]);
    expect(info.layout!.passedOver).toEqual([{ reason: "not_an_image", count: 8, example: "README.md" }]);
  }
});

Deno.test("names in a zip are decoded from UTF-8 with or without the flag, and from the extra field", async () => {
  expect((await upload(named(utf8("猫/1.png")))).classNames).toEqual(["z", "猫"]);
  const plain = latin("?/1.png");
  expect((await upload(named(plain, { extra: unicodePath(plain, "кот/1.png") }))).classNames).toEqual([
    "z",
    "кот",
  ]);
  // An extra field for another name is ignored (APPNOTE 4.6.9).
  expect((await upload(named(plain, { extra: unicodePath(plain, "кот/1.png", 1) }))).classNames).toEqual([
    "?",
    "z",
  ]);
  const western = await upload(named(latin("\x8epfel/1.png")));
  expect(western.classNames).toEqual(["z", "Äpfel"]);
  expect(western.notes).toContainEqual(expect.stringMatching(/'Äpfel\/1\.png'.*code page 437/));
  // Shift-JIS that could be Western letters is decoded as such, and a note reports it.
  const japanese = await upload(named(latin("\x83l\x83R/1.png")));
  expect(japanese.notes).toContainEqual(expect.stringMatching(/'âlâR\/1\.png'.*code page 437/));
  // Other Shift-JIS, and GBK, would contain symbols in code page 437.
  for (const bytes of ["\x94L\xdf/1.png", "\x95\x5c/1.png", "\xc3\xa8\xb9\xb7/1.png", "\xb0\xa1/1.png"]) {
    expect(await expectArchiveRefused(named(latin(bytes)))).toMatch(
      /contains the name '.*\\x[0-9a-f]{2}.*not in UTF-8/,
    );
  }
});

Deno.test("joiners and emoji are allowed in names; other invisible characters are refused", async () => {
  const names = [
    "می\u200cخواهم",
    "क्\u200dष",
    "👩\u200d🌾",
    "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "❤️",
  ];
  const entries = names.map((name) => ({ name: `${name}/1.png`, bytes: dark }));
  for (const archive of [zipOf(entries), await tarOf(...entries)]) {
    expect((await upload(archive)).classNames).toEqual(names.toSorted());
  }
  for (
    const bad of ["\u200b", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u2066", "\u200f", "\u0007", "\u{e0067}"]
  ) {
    const entries = [{ name: `a${bad}b/1.png`, bytes: dark }];
    for (const archive of [zipOf(entries), await tarOf(...entries)]) {
      expect(await expectArchiveRefused(archive)).toMatch(/'a\?b\/1\.png'.*invisible/);
    }
  }
  expect(await expectArchiveRefused(zipOf([{ name: "/\u200da.png".slice(1), bytes: dark }]))).toMatch(
    /invisible/,
  );
});

Deno.test("names that differ only in case are different; names that differ only in Unicode form are equal", async () => {
  const entries = ["A/1.png", "a/1.png", "B/é.png", "B/É.png"].map((name) => ({ name, bytes: dark }));
  for (const archive of [zipOf(entries), await tarOf(...entries)]) {
    const info = await upload(archive);
    expect([info.classNames, info.splits.train.count]).toEqual([["A", "B", "a"], 4]);
  }
  // macOS decomposes letters with accents, Linux keeps them as typed.
  const split = ["train/\u00e9t\u00e9/1.png", "test/e\u0301te\u0301/1.png", "train/b/1.png"];
  const info = await uploadArchive(zipOf(split.map((name) => ({ name, bytes: dark }))));
  expect([info.classNames, info.splits.test.count]).toEqual([["b", "\u00e9t\u00e9"], 1]);
});

Deno.test("backslashes separate folders only in archives written on Windows", async () => {
  const paths = ["cat\\", "cat\\1.png", "dog\\deep\\1.png"];
  for (const host of [0, 3, 10, 14]) {
    const entries = paths.map((name) => ({
      name,
      host,
      bytes: name.endsWith("\\") ? new Uint8Array(0) : dark,
    }));
    expect((await upload(zipOf(entries))).classNames).toEqual(["cat", "dog"]);
  }
  const mixed = (host: number) =>
    zipOf([{ name: "a/1.png", bytes: dark }, { name: "b\\1.png", host, bytes: dark }]);
  expect((await upload(mixed(0))).classNames).toEqual(["a", "b"]);
  expect(await expectArchiveRefused(mixed(3))).toMatch(/'b\\1\.png', a name with a backslash/);
  for (
    const [name, message] of [["..\\x.png", /leaves/], ["\\x.png", /absolute/], [
      "C:\\x.png",
      /absolute/,
    ]] as const
  ) {
    expect(await expectArchiveRefused(zipOf([{ name, host: 0, bytes: dark }]))).toMatch(message);
  }
});
