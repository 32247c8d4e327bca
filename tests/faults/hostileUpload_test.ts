import { expect } from "expect";
import { gzipSync } from "node:zlib";
import { type Bytes, concatBytes } from "../../data/bytes.ts";
import { EXPANSION_LIMITS } from "../../data/datasets/compression/expansionLimit.ts";
import { problemOf, TestApi } from "../api/fixtures.ts";
import { flat, tarOf } from "../setup/archives.ts";
import { idx } from "../setup/uploads.ts";
import { zipOf } from "../setup/zip.ts";

const darkImage = await flat(10);
const gz = (bytes: Uint8Array): Bytes => new Uint8Array(gzipSync(bytes));
const MIB = 2 ** 20;
/** More bytes than a small file may expand to. */
const bomb = new Uint8Array(EXPANSION_LIMITS.allowance + 32 * MIB);

/** Returns a tar without its end-of-archive blocks. */
const unterminatedTar = async (...names: string[]) =>
  (await tarOf(...names.map((name) => ({ name })))).slice(0, -1024);

/** Returns a zip whose entries share one piece of compressed data (Fifield 2019, "A better zip bomb"). */
const overlapping = (entries: number) =>
  zipOf([
    { name: "a/0.png", bytes: new Uint8Array(8 * MIB), deflated: true },
    ...Array.from(
      { length: entries - 1 },
      (_, i) => ({
        name: `a/${i + 1}.png`,
        bytes: new Uint8Array(8 * MIB),
        deflated: true,
        reusesContent: true,
      }),
    ),
  ]);

const REJECTED: [name: string, archive: () => Bytes | Promise<Bytes>, message: RegExp][] = [
  [
    "zeros in a skipped entry",
    async () => gz(await tarOf({ name: ".hidden", bytes: bomb }, { name: "a/1.png" })),
    /unpacks to more than 100 times/,
  ],
  [
    "zeros in an entry that is not an image",
    async () => gz(await tarOf({ name: "a/data.bin", bytes: bomb }, { name: "a/1.png" })),
    /unpacks to more than 100 times/,
  ],
  [
    "zeros after the end of a tar",
    async () => gz(concatBytes([await tarOf({ name: "a/1.png" }), bomb])),
    /unpacks to more than 100 times/,
  ],
  [
    "a tar after the end of a tar",
    async () => concatBytes([await tarOf({ name: "a/1.png" }), await tarOf({ name: "b/1.png" })]),
    /data after the end of the tar/,
  ],
  [
    "a tar after the end of a tar, gzipped",
    async () =>
      gz(
        concatBytes([
          await tarOf({ name: "a/1.png" }),
          new Uint8Array(9216),
          await tarOf({ name: "b/1.png" }),
        ]),
      ),
    /data after the end of the tar/,
  ],
  ["overlapping entries of a zip", () => overlapping(300), /entries that overlap each other/],
  [
    "a zip of many zeros",
    () =>
      zipOf(Array.from({ length: 12 }, (_, i) => ({
        name: `a/${i}.png`,
        bytes: new Uint8Array(12 * MIB),
        deflated: true,
      }))),
    /unpacks to more than 100 times/,
  ],
  [
    "a directory of more entries than are allowed",
    () => withHugeEntryCount(zipOf([{ name: "a/1.png", bytes: darkImage }])),
    /entries/,
  ],
  ["a gzip in a gzip", async () => gz(gz(await tarOf({ name: "a/1.png" }))), /gzipped twice/],
];

/** Adds a zip64 directory that declares 2^52 entries. */
function withHugeEntryCount(zip: Bytes): Bytes {
  const body = zip.slice(0, -22), end = zip.slice(-22);
  const record = new DataView(new ArrayBuffer(56 + 20));
  record.setUint32(0, 0x06064b50, true);
  record.setBigUint64(4, 44n, true);
  for (const offset of [24, 32]) record.setBigUint64(offset, 2n ** 52n, true);
  record.setBigUint64(48, BigInt(new DataView(end.buffer).getUint32(16, true)), true);
  record.setUint32(56, 0x07064b50, true);
  record.setBigUint64(64, BigInt(body.length), true);
  record.setUint32(72, 1, true);
  return concatBytes([body, new Uint8Array(record.buffer), end]);
}

Deno.test("archives that expand too much or are ambiguous are rejected with the reason", async (t) => {
  await using api = await TestApi.open();
  for (const [name, archive, message] of REJECTED) {
    await t.step(name, async () => {
      const { errors } = await problemOf(await api.upload({ archive: await archive() }), 422);
      expect(errors).toEqual([{ path: "archive", message: expect.stringMatching(message) }]);
    });
  }
  expect((await api.traces()).filter((trace) => /upload|datasets/.test(trace))).toEqual([]);
});

Deno.test("a gzipped IDX file that expands too much is rejected", async () => {
  await using api = await TestApi.open();
  const train_images = gz(idx(0x803, [9_000_000, 28, 28], bomb));
  const { errors } = await problemOf(await api.upload({ train_images }), 422);
  expect(errors).toEqual([{ path: "train_images", message: expect.stringMatching(/more than 100 times/) }]);
});

Deno.test("valid archives with padding and small images are accepted", async () => {
  await using api = await TestApi.open();
  const tar = await tarOf({ name: "a/1.png" }, { name: "b/1.png" });
  const shortlyPadded = concatBytes([await unterminatedTar("a/1.png", "b/1.png"), new Uint8Array(512)]);
  const manyEqual = await tarOf(...Array.from({ length: 3000 }, (_, i) => ({ name: `a/${i}.png` })));
  for (
    const archive of [
      concatBytes([tar, new Uint8Array(9216)]),
      gz(concatBytes([tar, new Uint8Array(MIB)])),
      shortlyPadded,
      gz(manyEqual),
    ]
  ) {
    expect((await api.upload({ archive })).status).toBe(201);
  }
});

const SLOW: [name: string, parts: () => Promise<Record<string, Bytes>>][] = [
  [
    "a skipped entry of many zeros",
    async () => ({
      archive: gz(
        await tarOf({ name: ".hidden", bytes: bomb.subarray(0, EXPANSION_LIMITS.allowance - MIB) as Bytes }, {
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
          Array.from({ length: 400 }, (_, i) => ({ name: `a/${i}`, bytes: new Uint8Array(0) })),
        ),
      }),
  ],
  [
    "many labels",
    () => {
      const count = 3_000_000;
      const bytes = Uint8Array.from({ length: count }, (_, i) => i % 10);
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
          Array.from({ length: 300 }, (_, i) => ({ name: `${i % 9}/${i}.png`, bytes: darkImage })),
        ),
      }),
  ],
];

/** Minimum number of other requests that must be answered during an upload. */
const MIN_ANSWERED = 100;

let fastTime = performance.now();

/** Replaces the clock by one that advances a second at each reading, so that work yields as often as it can. */
function fastClock(): Disposable {
  const real = performance.now;
  // The time never goes back, because the yields of all cases share the time of the last one.
  performance.now = () => fastTime += 1000;
  return { [Symbol.dispose]: () => void (performance.now = real) };
}

Deno.test("other requests are answered while an upload is read", async (t) => {
  await using api = await TestApi.open();
  for (const [name, parts] of SLOW) {
    await t.step(name, async () => {
      const files = await parts();
      using _ = fastClock();
      const upload = api.upload(files);
      let ended = false, answered = 0;
      const end = upload.then(() => ended = true);
      while (!ended) {
        expect((await api.send("/healthz")).status).toBe(200);
        if (!ended) answered++;
        // Each request arrives in a new turn of the event loop, as from a socket.
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      await end;
      expect(answered).toBeGreaterThanOrEqual(MIN_ANSWERED);
      await (await upload).body?.cancel();
    });
  }
});
