import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { DEFAULT_DATASET_SETTINGS } from "../../../data/datasets/settings.ts";
import { DatasetError, DatasetUnavailableError } from "../../../data/datasets/dataset.ts";
import { download, type DownloadFile } from "../../../data/datasets/builtIn/download.ts";
import { RELEASES } from "../../../data/datasets/builtIn/releases.ts";
import { randomUint32 } from "../../../model/random.ts";
import { TempStore } from "./fixtures.ts";

const INPUT = { imageSize: 28, channels: 1 } as const;

type Handler = (request: Request, file: Bytes) => Response;

/** Sends the whole file. */
const full: Handler = (_, file) => new Response(file);
/** Sends the requested range, or the whole file (RFC 9110, section 14). */
const ranged: Handler = (request, file) => {
  const range = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "");
  if (!range) return new Response(file);
  const start = Number(range[1]);
  if (start >= file.length) return new Response(null, { status: 416 });
  const headers = { "content-range": `bytes ${start}-${file.length - 1}/${file.length}` };
  return new Response(file.slice(start), { status: 206, headers });
};
/** Sends half of the requested range and closes the connection. */
const cut: Handler = (request, file) => {
  const { status, headers } = ranged(request, file);
  const start = Number(/bytes=(\d+)-/.exec(request.headers.get("range") ?? "")?.[1] ?? 0);
  const half = file.slice(start, start + Math.ceil((file.length - start) / 2));
  // The body is shorter than its declared length, so the server closes the connection.
  const body = ReadableStream.from([half]);
  return new Response(body, {
    status,
    headers: { ...Object.fromEntries(headers), "content-length": String(file.length - start) },
  });
};
const status = (code: number): Handler => () => new Response("no", { status: code });
const other = (bytes: Bytes): Handler => () => new Response(bytes);

/** A server that uses its handlers in turn for the requests of each file. The last handler serves all later requests. */
class Mirror implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly url: string;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(file: (name: string) => Bytes, ...handlers: Handler[]) {
    const counts = new Map<string, number>();
    this.#server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
      const name = new URL(request.url).pathname.slice(1);
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      this.requests.push(`${name} ${request.headers.get("range") ?? "whole"}`);
      return handlers[Math.min(count, handlers.length - 1)](request, file(name));
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
  checksum: { algorithm: "sha256", covers: "content", hex: sum(content) },
};
const startMirror = (...handlers: Handler[]) => new Mirror(() => packed, ...handlers);

/** Creates a temporary folder for the downloaded file. */
async function createTarget() {
  const path = await Deno.makeTempDir();
  return {
    file: `${path}/made.gz`,
    names: () => [...Deno.readDirSync(path)].map(({ name }) => name),
    [Symbol.asyncDispose]: async () => await Deno.remove(path, { recursive: true }),
  };
}

/** Mirrors with a fault, and the requests that each receives. */
const FAULTS: [fault: string, handlers: Handler[], requests: RegExp[]][] = [
  ["does not have the file", [status(404)], [/whole/]],
  ["is broken", [status(500), status(503), ranged], [/whole/, /whole/, /whole/]],
  ["closes every connection early", [cut, cut, ranged], [/whole/, /bytes=\d+-/, /bytes=\d+-/]],
  ["closes a connection early and does not support ranges", [cut, full], [/whole/, /bytes=\d+-/]],
  ["sends another file", [other(new Uint8Array(gzipSync("other")))], [/whole/]],
  ["sends an HTML page", [other(new TextEncoder().encode("<html>Log in first</html>"))], [/whole/]],
  ["sends a file whose gzip data is damaged", [
    other(packed.map((byte, i) => i === 2000 ? byte ^ 255 : byte)),
  ], [
    /whole/,
  ]],
  ["declares and sends half of the file", [other(packed.slice(0, packed.length / 2))], [/whole/]],
  ["sends more than the maximum size", [other(new Uint8Array(200_000))], [/whole/]],
  ["sends gzip data that unpacks to far more bytes than expected", [
    other(new Uint8Array(gzipSync(new Uint8Array(70 * resource.maxBytes)))),
  ], [/whole/]],
];

Deno.test("the right file is downloaded from a faulty mirror or from the next one", async (t) => {
  for (const [fault, handlers, requests] of FAULTS) {
    await t.step(`the first mirror ${fault}`, async () => {
      await using target = await createTarget();
      await using first = startMirror(...handlers);
      await using second = startMirror(ranged);
      await download(resource, [first.url, second.url], target.file);
      expect(await Deno.readFile(target.file)).toEqual(packed);
      expect(target.names()).toEqual(["made.gz"]);
      requests.forEach((request, i) => expect(first.requests[i]).toMatch(request));
    });
  }
});

Deno.test("a wrong file is not kept, and a later download succeeds", async (t) => {
  for (const [fault, handlers] of FAULTS) {
    await t.step(`the only mirror ${fault}`, async () => {
      await using target = await createTarget();
      await using faulty = startMirror(...handlers.slice(0, 1));
      const isTemporary = /broken|early/.test(fault);
      const error = await download(resource, [faulty.url], target.file).catch((error) => error);
      expect(error).toBeInstanceOf(isTemporary ? DatasetUnavailableError : DatasetError);
      expect(target.names()).not.toContain("made.gz");
      await using healthy = startMirror(ranged);
      await download(resource, [healthy.url], target.file);
      expect(await Deno.readFile(target.file)).toEqual(packed);
    });
  }
});

Deno.test("an unfinished download is resumed", async () => {
  await using target = await createTarget();
  await using mirror = startMirror(ranged);
  await Deno.writeFile(`${target.file}.part`, packed.slice(0, 1000));
  await download(resource, [mirror.url], target.file);
  expect(mirror.requests).toEqual(["made.gz bytes=1000-"]);
  expect(await Deno.readFile(target.file)).toEqual(packed);

  await Deno.rename(target.file, `${target.file}.part`);
  await download(resource, [mirror.url], target.file);
  expect(mirror.requests.slice(1)).toEqual([`made.gz bytes=${packed.length}-`]);
  expect(await Deno.readFile(target.file)).toEqual(packed);
});

Deno.test("the error has the reason of each mirror", async () => {
  await using target = await createTarget();
  await using missing = startMirror(status(404));
  await using wrong = startMirror(other(new Uint8Array(gzipSync("other"))));
  const error = await download(resource, [missing.url, wrong.url], target.file).catch((error) => error);
  expect(error.message).toContain(`${missing.url}made.gz: it responded with status 404`);
  expect(error.message).toContain(`${wrong.url}made.gz: its sha256 checksum is wrong`);
  expect(missing.requests.length).toBe(1);
  await expect(download(resource, [], target.file)).rejects.toThrow("no mirror is configured");
  // Nothing listens on port 1. A mirror that cannot be reached now may be reachable later.
  const unreachable = download(resource, [missing.url, "http://127.0.0.1:1/"], target.file).catch((error) =>
    error
  );
  expect(await unreachable).toBeInstanceOf(DatasetUnavailableError);
});

Deno.test("an aborted download is resumed later", async () => {
  await using target = await createTarget();
  const client = new AbortController();
  const half = packed.length / 2 | 0;
  const closed = Promise.withResolvers<void>();
  await using silent = startMirror((_request, file) =>
    new Response(
      new ReadableStream<Bytes>({
        start: (controller) => controller.enqueue(file.slice(0, half)),
        cancel: () => closed.resolve(),
      }),
    )
  );
  const aborted = download(resource, [silent.url], target.file, client.signal);
  const arrived = async (): Promise<number> =>
    await Deno.stat(`${target.file}.part`).then(({ size }) => size, () => 0);
  while (await arrived() < half) await new Promise((resolve) => setTimeout(resolve, 5));
  client.abort(new Error("aborted"));
  await expect(aborted).rejects.toThrow("aborted");
  await closed.promise;
  await using mirror = startMirror(ranged);
  await download(resource, [mirror.url], target.file);
  expect(mirror.requests).toEqual([`made.gz bytes=${half}-`]);
  expect(await Deno.readFile(target.file)).toEqual(packed);
});

const mnistFolder = `${Deno.env.get("UNMASK_SHARED") ?? "../shared"}/data/mnist`;
const isAvailable = await Deno.stat(mnistFolder).then(() => true, () => false);
if (!isAvailable) {
  console.warn(`skipped: tests with MNIST, because ${mnistFolder} is missing (set UNMASK_SHARED)`);
}
const mnistFile = (name: string): Bytes => Deno.readFileSync(`${mnistFolder}/${name}`);

/** Opens a store, and a function that creates its catalogue with mirrors of MNIST, or of another data set. */
async function openFixture() {
  const temp = await TempStore.open();
  return {
    temp,
    catalogue: (mirrors: readonly Mirror[], id = "mnist") =>
      new DatasetCatalogue(temp.store, {
        ...DEFAULT_DATASET_SETTINGS,
        downloadsDir: `${temp.folder}/data/downloads`,
        mirrors: { [id]: mirrors.map(({ url }) => url.slice(0, -1)) },
      }),
    [Symbol.asyncDispose]: () => temp[Symbol.asyncDispose](),
  };
}

Deno.test({
  name: "MNIST is downloaded once, from any mirror, and resumed after an interruption",
  ignore: !isAvailable,
  async fn() {
    await using empty = new Mirror(mnistFile, status(404));
    await using unreliable = new Mirror(mnistFile, cut, ranged);
    await using fixture = await openFixture();
    const catalogue = fixture.catalogue([empty, unreliable]);
    const names = Object.values(RELEASES.mnist.files).map(({ name }) => name);
    const info = await catalogue.info("mnist");
    expect(empty.requests).toEqual([]);

    const [first, second] = await Promise.all([1, 2].map(() => catalogue.open({ id: "mnist" })));
    expect(first.info).toEqual(info);
    const requests = unreliable.requests.length;
    const third = await new DatasetCatalogue(fixture.temp.store).open({ id: "mnist" });
    for (const dataset of [first, second, third]) {
      expect([...(await dataset.read("test", [0, 9999], INPUT)).labels!]).toEqual([7, 6]);
      expect([...(await dataset.read("train", [0, 59_999], INPUT)).labels!]).toEqual([5, 8]);
    }
    expect(empty.requests).toEqual(names.map((name) => `${name} whole`));
    expect(unreliable.requests.length).toBe(requests);
    for (const name of names) {
      expect(unreliable.requests.filter((request) => request.startsWith(name))).toEqual([
        `${name} whole`,
        expect.stringMatching(/ bytes=[1-9]\d*-$/),
      ]);
    }
    expect((await fixture.temp.keys()).sort()).toEqual(
      ["meta.json", "test-images.raw", "test-labels.raw", "train-images.raw", "train-labels.raw"]
        .map((name) => `datasets/mnist/${name}`),
    );

    // A data set that is damaged in the store is downloaded again.
    await fixture.temp.store.delete("datasets/mnist/test-images.raw");
    const repaired = await catalogue.open({ id: "mnist" });
    expect([...(await repaired.read("test", [9999], INPUT)).labels!]).toEqual([6]);
  },
});

Deno.test({
  name: "MNIST with other labels is refused, and its right files are not downloaded again",
  ignore: !isAvailable,
  async fn() {
    const forged = (name: string): Bytes =>
      name.startsWith("t10k-labels") ? mnistFile("train-labels-idx1-ubyte.gz") : mnistFile(name);
    const mirrors = [new Mirror(forged, ranged), new Mirror(mnistFile, ranged)];
    await using bad = mirrors[0], good = mirrors[1];
    await using fixture = await openFixture();
    await expect(fixture.catalogue([bad]).open({ id: "mnist" })).rejects.toThrow(
      /t10k-labels.*sha256 checksum is wrong/,
    );
    expect(await fixture.temp.keys()).toEqual([]);
    await fixture.catalogue([good]).open({ id: "mnist" });
    expect(good.requests).toEqual(["t10k-labels-idx1-ubyte.gz whole"]);
  },
});

Deno.test("Fashion-MNIST has a description before its download, and its own mirrors", async () => {
  await using fixture = await openFixture();
  await using mirror = new Mirror(() => packed, other(packed));
  const catalogue = fixture.catalogue([mirror], "fashion-mnist");
  expect(await catalogue.info("fashion-mnist")).toMatchObject({
    splits: { train: { count: 60_000 }, test: { count: 10_000 } },
    classNames: expect.arrayContaining(["Ankle boot"]),
  });
  await expect(catalogue.open({ id: "fashion-mnist" })).rejects.toThrow("md5 checksum is wrong");
  expect(new Set(mirror.requests)).toEqual(new Set(["train-images-idx3-ubyte.gz whole"]));
});
