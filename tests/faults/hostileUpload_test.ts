import { expect } from "expect";
import { gzipSync } from "node:zlib";
import { EXPANSION_LIMITS } from "../../data/datasets/compression/expansionLimit.ts";
import { problemOf, TestApi } from "../api/fixtures.ts";
import { flat, tarOf } from "../setup/archives.ts";
import { type Bytes, idx } from "../setup/uploads.ts";
import { zipOf } from "../setup/zip.ts";

const dark = await flat(10);
const gz = (bytes: Uint8Array): Bytes => new Uint8Array(gzipSync(bytes));
const MIB = 2 ** 20;
/** More than a small file may unpack to. */
const bomb = new Uint8Array(EXPANSION_LIMITS.free + 32 * MIB);

function joined(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A tar without the zeros at its end. */
const open = async (...names: string[]) => (await tarOf(...names.map((name) => ({ name })))).slice(0, -1024);

/** Many entries on one piece of compressed data ("A better zip bomb", Fifield). */
const overlapping = (entries: number) =>
  zipOf([
    { name: "a/0.png", bytes: new Uint8Array(8 * MIB), deflated: true },
    ...Array.from(
      { length: entries - 1 },
      (_, at) => ({
        name: `a/${at + 1}.png`,
        bytes: new Uint8Array(8 * MIB),
        deflated: true,
        reusesContent: true,
      }),
    ),
  ]);

const REFUSED: [what: string, archive: () => Bytes | Promise<Bytes>, says: RegExp][] = [
  [
    "zeros in an entry that is passed over",
    async () => gz(await tarOf({ name: ".hidden", bytes: bomb }, { name: "a/1.png" })),
    /unpacks to more than 100 times/,
  ],
  [
    "zeros in an entry that is no image",
    async () => gz(await tarOf({ name: "a/data.bin", bytes: bomb }, { name: "a/1.png" })),
    /unpacks to more than 100 times/,
  ],
  [
    "zeros after the end of a tar",
    async () => gz(joined(await tarOf({ name: "a/1.png" }), bomb)),
    /unpacks to more than 100 times/,
  ],
  [
    "a tar after the end of a tar",
    async () => joined(await tarOf({ name: "a/1.png" }), await tarOf({ name: "b/1.png" })),
    /data after the end of the tar/,
  ],
  [
    "a tar after the end of a tar, gzipped",
    async () =>
      gz(joined(await tarOf({ name: "a/1.png" }), new Uint8Array(9216), await tarOf({ name: "b/1.png" }))),
    /data after the end of the tar/,
  ],
  ["overlapping entries of a zip", () => overlapping(300), /entries that overlap each other/],
  [
    "a zip of many zeros",
    () =>
      zipOf(Array.from({ length: 12 }, (_, at) => ({
        name: `a/${at}.png`,
        bytes: new Uint8Array(12 * MIB),
        deflated: true,
      }))),
    /unpacks to more than 100 times/,
  ],
  [
    "a directory of more entries than are allowed",
    () => entryCount(zipOf([{ name: "a/1.png", bytes: dark }])),
    /entries/,
  ],
  ["a gzip in a gzip", async () => gz(gz(await tarOf({ name: "a/1.png" }))), /gzipped twice/],
];

/** A zip64 directory that declares 2^52 entries. */
function entryCount(zip: Bytes): Bytes {
  const body = zip.slice(0, -22), end = zip.slice(-22);
  const record = new DataView(new ArrayBuffer(56 + 20));
  record.setUint32(0, 0x06064b50, true);
  record.setBigUint64(4, 44n, true);
  for (const at of [24, 32]) record.setBigUint64(at, 2n ** 52n, true);
  record.setBigUint64(48, BigInt(new DataView(end.buffer).getUint32(16, true)), true);
  record.setUint32(56, 0x07064b50, true);
  record.setBigUint64(64, BigInt(body.length), true);
  record.setUint32(72, 1, true);
  return joined(body, new Uint8Array(record.buffer), end);
}

Deno.test("archives that unpack to far more than their size, or that are ambiguous, are refused with the cause", async (t) => {
  await using api = await TestApi.open();
  for (const [what, archive, says] of REFUSED) {
    await t.step(what, async () => {
      const { errors } = await problemOf(await api.upload({ archive: await archive() }), 422);
      expect(errors).toEqual([{ path: "archive", message: expect.stringMatching(says) }]);
    });
  }
  expect((await api.traces()).filter((trace) => /upload|datasets/.test(trace))).toEqual([]);
});

Deno.test("a gzipped IDX file cannot unpack without limit", async () => {
  await using api = await TestApi.open();
  const train_images = gz(idx(0x803, [9_000_000, 28, 28], bomb));
  const { errors } = await problemOf(await api.upload({ train_images }), 422);
  expect(errors).toEqual([{ path: "train_images", message: expect.stringMatching(/more than 100 times/) }]);
});

Deno.test("valid archives with padding and small images are not refused as bombs", async () => {
  await using api = await TestApi.open();
  const tar = await tarOf({ name: "a/1.png" }, { name: "b/1.png" });
  const one = joined(await open("a/1.png", "b/1.png"), new Uint8Array(512));
  const same = await tarOf(...Array.from({ length: 3000 }, (_, at) => ({ name: `a/${at}.png` })));
  for (
    const archive of [joined(tar, new Uint8Array(9216)), gz(joined(tar, new Uint8Array(MIB))), one, gz(same)]
  ) {
    expect((await api.upload({ archive })).status).toBe(201);
  }
});

const BUSY: [what: string, parts: () => Promise<Record<string, Bytes>>][] = [
  [
    "a skipped entry of many zeros",
    async () => ({
      archive: gz(
        await tarOf({ name: ".hidden", bytes: bomb.subarray(0, EXPANSION_LIMITS.free - MIB) as Bytes }, {
          name: "a/1.png",
        }),
      ),
    }),
  ],
  [
    "many empty entries",
    () =>
      Promise.resolve({
        archive: zipOf(
          Array.from({ length: 400 }, (_, at) => ({ name: `a/${at}`, bytes: new Uint8Array(0) })),
        ),
      }),
  ],
  [
    "many labels",
    () => {
      const count = 3_000_000;
      const bytes = Uint8Array.from({ length: count }, (_, at) => at % 10);
      return Promise.resolve({
        train_images: gz(idx(0x803, [count, 1, 1], bytes)),
        train_labels: gz(idx(0x801, [count], bytes)),
      });
    },
  ],
  [
    "many images",
    () =>
      Promise.resolve({
        archive: zipOf(
          Array.from({ length: 300 }, (_, at) => ({ name: `${at % 9}/${at}.png`, bytes: dark })),
        ),
      }),
  ],
];

/** Least number of other requests that are answered before the upload. */
const OTHERS = 100;

let clockReads = 0;

/** A clock that advances by a second at each reading, so that work yields at every opportunity. It never goes back. */
function hurriedClock(): Disposable {
  const real = performance.now;
  performance.now = () => 1000 * ++clockReads;
  return { [Symbol.dispose]: () => void (performance.now = real) };
}

Deno.test("other requests are answered while an upload is read", async (t) => {
  await using api = await TestApi.open();
  for (const [what, parts] of BUSY) {
    await t.step(what, async () => {
      const files = await parts();
      using _ = hurriedClock();
      const upload = api.upload(files);
      let ended = false, answered = 0;
      const end = upload.then(() => ended = true);
      while (!ended) {
        expect((await api.send("/healthz")).status).toBe(200);
        if (!ended) answered++;
        // Each request arrives in its own turn of the event loop, as from a socket.
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      await end;
      expect(answered).toBeGreaterThanOrEqual(OTHERS);
      await (await upload).body?.cancel();
    });
  }
});
