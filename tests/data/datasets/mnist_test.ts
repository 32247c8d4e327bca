import { expect } from "expect";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { DEFAULT_DATASET_SETTINGS } from "../../../data/datasets/settings.ts";
import { DatasetError, DatasetUnavailableError } from "../../../data/datasets/dataset.ts";
import { download, type DownloadFile } from "../../../data/datasets/builtIn/download.ts";
import { RELEASES } from "../../../data/datasets/builtIn/releases.ts";
import { randomUint32 } from "../../../model/random.ts";
import type { Bytes } from "../../setup/uploads.ts";
import { Shelf } from "./fixtures.ts";

const FORM = { imageSize: 28, channels: 1 } as const;

type Answer = (request: Request, file: Bytes) => Response;

/** The file whole. */
const whole: Answer = (_, file) => new Response(file);
/** The file, or as much of it as is asked for (RFC 9110, section 14). */
const ranged: Answer = (request, file) => {
  const range = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "");
  if (!range) return new Response(file);
  const start = Number(range[1]);
  if (start >= file.length) return new Response(null, { status: 416 });
  const headers = { "content-range": `bytes ${start}-${file.length - 1}/${file.length}` };
  return new Response(file.slice(start), { status: 206, headers });
};
/** As much as is asked for, but the connection is gone in the middle of it. */
const cut: Answer = (request, file) => {
  const { status, headers } = ranged(request, file);
  const start = Number(/bytes=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
  const half = file.slice(start, start + Math.ceil((file.length - start) / 2));
  // Less than the length that it is said to have: the server can only close the connection.
  const body = ReadableStream.from([half]);
  return new Response(body, {
    status,
    headers: { ...Object.fromEntries(headers), "content-length": String(file.length - start) },
  });
};
const status = (code: number): Answer => () => new Response("no", { status: code });
const other = (bytes: Bytes): Answer => () => new Response(bytes);

/** A mirror on a port of its own that answers each file's requests in turn, the last answer for ever. */
class Mirror implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(file: (name: string) => Bytes, ...answers: Answer[]) {
    const turns = new Map<string, number>();
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const name = new URL(request.url).pathname.slice(1);
      const turn = turns.get(name) ?? 0;
      turns.set(name, turn + 1);
      this.asked.push(`${name} ${request.headers.get("range") ?? "whole"}`);
      return answers[Math.min(turn, answers.length - 1)](request, file(name));
    });
    this.url = `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

const content = Uint8Array.from(randomUint32({ seed: 1, purpose: "download" }, 40_000));
const packed: Bytes = new Uint8Array(gzipSync(content));
const sum = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const resource: DownloadFile = {
  name: "made.gz",
  maxBytes: 60_000,
  checksum: { algorithm: "sha256", of: "content", hex: sum(content) },
};
const made = (...answers: Answer[]) => new Mirror(() => packed, ...answers);

/** A file to be downloaded into a folder of its own. */
async function folder() {
  const path = await Deno.makeTempDir();
  return {
    file: `${path}/made.gz`,
    names: () => [...Deno.readDirSync(path)].map(({ name }) => name),
    [Symbol.asyncDispose]: async () => await Deno.remove(path, { recursive: true }),
  };
}

/** Mirrors that come before a good one, and what each is asked. */
const FAULTS: [what: string, answers: Answer[], asked: RegExp[]][] = [
  ["has not the file", [status(404)], [/whole/]],
  ["is broken", [status(500), status(503), ranged], [/whole/, /whole/, /whole/]],
  ["breaks off again and again", [cut, cut, ranged], [/whole/, /bytes=\d+-/, /bytes=\d+-/]],
  ["breaks off, and gives no ranges", [cut, whole], [/whole/, /bytes=\d+-/]],
  ["sends another file", [other(new Uint8Array(gzipSync("other")))], [/whole/]],
  ["sends a page", [other(new TextEncoder().encode("<html>Log in first</html>"))], [/whole/]],
  ["sends a file whose gzip data is damaged", [
    other(packed.map((byte, i) => i === 2000 ? byte ^ 255 : byte)),
  ], [
    /whole/,
  ]],
  ["sends half of it and says that it is all", [other(packed.slice(0, packed.length / 2))], [/whole/]],
  ["sends more than the file may have", [other(new Uint8Array(200_000))], [/whole/]],
  ["sends gzip data that unpack to far more", [
    other(new Uint8Array(gzipSync(new Uint8Array(70 * resource.maxBytes)))),
  ], [/whole/]],
];

Deno.test("whatever a mirror does, the right file is taken from it or from the next one", async (t) => {
  for (const [what, answers, asked] of FAULTS) {
    await t.step(`the first ${what}`, async () => {
      await using to = await folder();
      await using first = made(...answers);
      await using second = made(ranged);
      await download(resource, [first.url, second.url], to.file);
      expect(await Deno.readFile(to.file)).toEqual(packed);
      expect(to.names()).toEqual(["made.gz"]);
      asked.forEach((request, at) => expect(first.asked[at]).toMatch(request));
    });
  }
});

Deno.test("what a mirror once sent wrong is not kept: a later try gets the right file", async (t) => {
  for (const [what, answers] of FAULTS) {
    await t.step(`the only one ${what}, then comes to itself`, async () => {
      await using to = await folder();
      await using ill = made(...answers.slice(0, 1));
      const passes = /broken|breaks off/.test(what);
      const error = await download(resource, [ill.url], to.file).catch((error) => error);
      expect(error).toBeInstanceOf(passes ? DatasetUnavailableError : DatasetError);
      expect(to.names()).not.toContain("made.gz");
      await using well = made(ranged);
      await download(resource, [well.url], to.file);
      expect(await Deno.readFile(to.file)).toEqual(packed);
    });
  }
});

Deno.test("a part that is there is not asked for again", async () => {
  await using to = await folder();
  await using mirror = made(ranged);
  await Deno.writeFile(`${to.file}.part`, packed.slice(0, 1000));
  await download(resource, [mirror.url], to.file);
  expect(mirror.asked).toEqual(["made.gz bytes=1000-"]);
  expect(await Deno.readFile(to.file)).toEqual(packed);

  await Deno.rename(to.file, `${to.file}.part`);
  await download(resource, [mirror.url], to.file);
  expect(mirror.asked.slice(1)).toEqual([`made.gz bytes=${packed.length}-`]);
  expect(await Deno.readFile(to.file)).toEqual(packed);
});

Deno.test("the fault names each mirror and what became of it", async () => {
  await using to = await folder();
  await using missing = made(status(404));
  await using wrong = made(other(new Uint8Array(gzipSync("other"))));
  const error = await download(resource, [missing.url, wrong.url], to.file).catch((error) => error);
  expect(error.message).toContain(`${missing.url}made.gz: it answered 404`);
  expect(error.message).toContain(`${wrong.url}made.gz: its sha256 checksum is wrong`);
  expect(missing.asked.length).toBe(1);
  await expect(download(resource, [], to.file)).rejects.toThrow("no mirror is configured");
  // Nothing listens on port 1. A mirror that cannot be reached now may be reachable later.
  const away = download(resource, [missing.url, "http://127.0.0.1:1/"], to.file).catch((error) => error);
  expect(await away).toBeInstanceOf(DatasetUnavailableError);
});

Deno.test("a download that is given up ends, and goes on from there the next time", async () => {
  await using to = await folder();
  const client = new AbortController();
  const half = packed.length / 2 | 0;
  const closed = Promise.withResolvers<void>();
  await using silent = made((_request, file) =>
    new Response(
      new ReadableStream<Bytes>({
        start: (controller) => controller.enqueue(file.slice(0, half)),
        cancel: () => closed.resolve(),
      }),
    )
  );
  const ends = download(resource, [silent.url], to.file, client.signal);
  const arrived = async (): Promise<number> =>
    await Deno.stat(`${to.file}.part`).then(({ size }) => size, () => 0);
  while (await arrived() < half) await new Promise((resolve) => setTimeout(resolve, 5));
  client.abort(new Error("given up"));
  await expect(ends).rejects.toThrow("given up");
  await closed.promise;
  await using mirror = made(ranged);
  await download(resource, [mirror.url], to.file);
  expect(mirror.asked).toEqual([`made.gz bytes=${half}-`]);
  expect(await Deno.readFile(to.file)).toEqual(packed);
});

const real = `${Deno.env.get("UNMASK_SHARED") ?? "../shared"}/data/mnist`;
const there = await Deno.stat(real).then(() => true, () => false);
if (!there) console.warn(`skipped: what needs MNIST, as ${real} is not there (set UNMASK_SHARED)`);
const mnistFile = (name: string): Bytes => Deno.readFileSync(`${real}/${name}`);

/** A shelf and a function that opens its catalogue with mirrors of MNIST, or of another data set. */
async function library() {
  const shelf = await Shelf.open();
  return {
    shelf,
    catalogue: (mirrors: readonly Mirror[], id = "mnist") =>
      new DatasetCatalogue(shelf.store, {
        ...DEFAULT_DATASET_SETTINGS,
        downloadsDir: `${shelf.folder}/data/downloads`,
        mirrors: { [id]: mirrors.map(({ url }) => url.slice(0, -1)) },
      }),
    [Symbol.asyncDispose]: () => shelf[Symbol.asyncDispose](),
  };
}

Deno.test({
  name: "MNIST comes from whichever mirror has it, resumed where it broke off, and once alone",
  ignore: !there,
  async fn() {
    await using empty = new Mirror(mnistFile, status(404));
    await using weak = new Mirror(mnistFile, cut, ranged);
    await using house = await library();
    const catalogue = house.catalogue([empty, weak]);
    const names = Object.values(RELEASES.mnist.files).map(({ name }) => name);
    const info = await catalogue.info("mnist");
    expect(empty.asked).toEqual([]);

    const [first, second] = await Promise.all([1, 2].map(() => catalogue.open({ id: "mnist" })));
    expect(first.info).toEqual(info);
    const asked = weak.asked.length;
    const third = await new DatasetCatalogue(house.shelf.store).open({ id: "mnist" });
    for (const dataset of [first, second, third]) {
      expect([...(await dataset.read("test", [0, 9999], FORM)).labels!]).toEqual([7, 6]);
      expect([...(await dataset.read("train", [0, 59_999], FORM)).labels!]).toEqual([5, 8]);
    }
    expect(empty.asked).toEqual(names.map((name) => `${name} whole`));
    expect(weak.asked.length).toBe(asked);
    for (const name of names) {
      expect(weak.asked.filter((request) => request.startsWith(name))).toEqual([
        `${name} whole`,
        expect.stringMatching(/ bytes=[1-9]\d*-$/),
      ]);
    }
    expect((await house.shelf.keys()).sort()).toEqual(
      ["meta.json", "test-images.raw", "test-labels.raw", "train-images.raw", "train-labels.raw"]
        .map((name) => `datasets/mnist/${name}`),
    );

    // A release that is damaged in the store is downloaded again.
    await house.shelf.store.delete("datasets/mnist/test-images.raw");
    const healed = await catalogue.open({ id: "mnist" });
    expect([...(await healed.read("test", [9999], FORM)).labels!]).toEqual([6]);
  },
});

Deno.test({
  name: "MNIST with other labels is not taken; files that were right are not asked for again",
  ignore: !there,
  async fn() {
    const forged = (name: string): Bytes =>
      name.startsWith("t10k-labels") ? mnistFile("train-labels-idx1-ubyte.gz") : mnistFile(name);
    const mirrors = [new Mirror(forged, ranged), new Mirror(mnistFile, ranged)];
    await using bad = mirrors[0], good = mirrors[1];
    await using house = await library();
    await expect(house.catalogue([bad]).open({ id: "mnist" })).rejects.toThrow(
      /t10k-labels.*sha256 checksum is wrong/,
    );
    expect(await house.shelf.keys()).toEqual([]);
    await house.catalogue([good]).open({ id: "mnist" });
    expect(good.asked).toEqual(["t10k-labels-idx1-ubyte.gz whole"]);
  },
});

Deno.test("Fashion-MNIST is known before it is there, and it has mirrors of its own", async () => {
  await using house = await library();
  await using mirror = new Mirror(() => packed, other(packed));
  const catalogue = house.catalogue([mirror], "fashion-mnist");
  expect(await catalogue.info("fashion-mnist")).toMatchObject({
    splits: { train: { count: 60_000 }, test: { count: 10_000 } },
    classNames: expect.arrayContaining(["Ankle boot"]),
  });
  await expect(catalogue.open({ id: "fashion-mnist" })).rejects.toThrow("md5 checksum is wrong");
  expect(new Set(mirror.asked)).toEqual(new Set(["train-images-idx3-ubyte.gz whole"]));
});
