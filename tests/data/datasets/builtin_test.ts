import { expect } from "expect";
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { DatasetCatalogue } from "../../../data/datasets/catalogue.ts";
import { drawDigit, openDigits } from "../../../data/datasets/digits.ts";
import { download, type Resource } from "../../../data/datasets/download.ts";
import { createDataset } from "../../../data/datasets/upload.ts";
import { idxDigits } from "../../setup/uploads.ts";
import { Shelf } from "./fixtures.ts";

const FORM = { imageSize: 28, channels: 1 } as const;

Deno.test("digits follow seed, split and index alone: a larger set begins with the smaller one", async () => {
  const small = await openDigits(50, 3).load("train", FORM);
  const large = await openDigits(80, 3).load("train", FORM);
  expect(large.pixels.slice(0, small.pixels.length)).toEqual(small.pixels);
  expect(large.labels!.slice(0, 50)).toEqual(small.labels!);
  expect((await openDigits(50, 4).load("train", FORM)).pixels).not.toEqual(small.pixels);
  expect(drawDigit(3, "test", 0).pixels).not.toEqual(drawDigit(3, "train", 0).pixels);
  const read = await openDigits(50, 3).read("train", [49, 0], FORM);
  expect(read.pixels.slice(784)).toEqual(small.pixels.slice(0, 784));
  await expect(openDigits(50).read("train", [50], FORM)).rejects.toThrow("0 to 49");
  expect((await openDigits(10).load("train", { imageSize: 32, channels: 3 })).pixels.length).toBe(
    10 * 32 * 32 * 3,
  );
});

Deno.test("digits are white strokes on black, every class about equally often, none like another", async () => {
  const { pixels, labels, count } = await openDigits(2000, 1).load("train", FORM);
  const counts = new Array(10).fill(0);
  labels!.forEach((label) => counts[label]++);
  // 200 each, deviation 13
  for (const each of counts) expect(Math.abs(each - 200)).toBeLessThan(65);
  const pictures = new Set<string>();
  for (let i = 0; i < count; i++) {
    const picture = pixels.subarray(i * 784, i * 784 + 784);
    const ink = picture.filter((value) => value > 100).length;
    expect(ink).toBeGreaterThan(10);
    expect(ink).toBeLessThan(300);
    pictures.add(picture.toHex());
  }
  expect(pictures.size).toBe(count);
});

Deno.test("a digit can be told from its pixels, but not too easily: nearest class mean is right between 50 and 90 %", async () => {
  const train = await openDigits(3000, 2).load("train", FORM),
    test = await openDigits(10, 2).load("test", FORM);
  const means = Array.from({ length: 10 }, () => new Float64Array(784));
  const counts = new Array(10).fill(0);
  train.labels!.forEach((label, i) => {
    counts[label]++;
    for (let p = 0; p < 784; p++) means[label][p] += train.pixels[i * 784 + p];
  });
  means.forEach((mean, label) => mean.forEach((_, p) => mean[p] /= counts[label]));
  let right = 0;
  test.labels!.forEach((label, i) => {
    const distances = means.map((mean) =>
      mean.reduce((sum, v, p) => sum + (v - test.pixels[i * 784 + p]) ** 2, 0)
    );
    right += Number(distances.indexOf(Math.min(...distances)) === label);
  });
  expect(right / test.count).toBeGreaterThan(0.5);
  expect(right / test.count).toBeLessThan(0.9);
});

/** A mirror that does as it is told for each request of a file, and remembers what was asked. */
function mirror(answers: ((request: Request) => Response)[]) {
  const asked: { path: string; range: string | null }[] = [];
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    asked.push({ path: new URL(request.url).pathname, range: request.headers.get("range") });
    return answers[Math.min(asked.length, answers.length) - 1](request);
  });
  return { asked, server, url: `http://127.0.0.1:${(server.addr as Deno.NetAddr).port}/` };
}

const file = new Uint8Array(gzipSync(crypto.getRandomValues(new Uint8Array(50_000))));
const checksum = {
  algorithm: "sha256",
  of: "file",
  hex: createHash("sha256").update(file).digest("hex"),
} as const;
const resource: Resource = { name: "x.gz", most: 100_000, checksum };
const whole = () => new Response(file);
const missing = () => new Response("no", { status: 404 });
/** The first part, and then the connection is gone. */
const cut = () => {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(file.slice(0, 20_000)),
    pull: (controller) => controller.error(new Error("cut")),
  });
  return new Response(body, { headers: { "content-length": String(file.length) } });
};
const rest = (request: Request) => {
  const start = Number(/bytes=(\d+)-/.exec(request.headers.get("range") ?? "")![1]);
  const headers = { "content-range": `bytes ${start}-${file.length - 1}/${file.length}` };
  return new Response(file.slice(start), { status: 206, headers });
};

Deno.test("a download that breaks off goes on where it was, on the next mirror if need be", async () => {
  const folder = await Deno.makeTempDir();
  const first = mirror([missing]), second = mirror([cut, rest]);
  await download(resource, [first.url, second.url], `${folder}/x.gz`);
  expect(await Deno.readFile(`${folder}/x.gz`)).toEqual(file);
  expect(first.asked).toEqual([{ path: "/x.gz", range: null }]);
  expect(second.asked.map(({ range }) => range)).toEqual([null, expect.stringMatching(/^bytes=\d+-$/)]);
  await Promise.all([first.server.shutdown(), second.server.shutdown()]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a file with another content is not taken, whoever sends it", async () => {
  const folder = await Deno.makeTempDir();
  const wrong = () => new Response(file.map((byte, i) => i === 100 ? byte ^ 1 : byte));
  const bad = mirror([wrong]), endless = mirror([() => new Response(new Uint8Array(200_000))]);
  const fails = download(resource, [bad.url, endless.url], `${folder}/x.gz`);
  await expect(fails).rejects.toThrow(/sha256 is wrong.*more than 100000 bytes/s);
  expect([...Deno.readDirSync(folder)].map(({ name }) => name)).not.toContain("x.gz");
  const good = mirror([whole]);
  await Deno.remove(`${folder}/x.gz.part`).catch(() => {});
  await download(resource, [good.url], `${folder}/x.gz`);
  await Promise.all([bad.server.shutdown(), endless.server.shutdown(), good.server.shutdown()]);
  await Deno.remove(folder, { recursive: true });
});

const mnist = `${Deno.env.get("UNMASK_SHARED") ?? "../shared"}/data/mnist`;
const there = await Deno.stat(mnist).then(() => true, () => false);
if (!there) console.warn(`skipped: the download of MNIST, as ${mnist} is not there (set UNMASK_SHARED)`);

Deno.test({
  name: "mnist is downloaded once, checked, and kept in object storage",
  ignore: !there,
  async fn() {
    await using shelf = await Shelf.open();
    const local = mirror([
      (request) => new Response(Deno.readFileSync(mnist + new URL(request.url).pathname)),
    ]);
    Deno.env.set("UNMASK_MNIST_MIRRORS", local.url);
    Deno.env.set("UNMASK_DATA", `${shelf.folder}/data`);
    try {
      const catalogue = new DatasetCatalogue(shelf.store);
      for (let turn = 0; turn < 2; turn++) {
        const dataset = await catalogue.open({ id: "mnist" });
        const { pixels, labels } = await dataset.read("test", [0, 9999], FORM);
        expect([...labels!]).toEqual([7, 6]);
        expect(pixels.slice(0, 784).reduce((a, b) => a + b)).toBeGreaterThan(5000);
      }
      expect(local.asked.length).toBe(4);
      expect([...Deno.readDirSync(`${shelf.folder}/data/downloads`)]).toEqual([]);
    } finally {
      Deno.env.delete("UNMASK_MNIST_MIRRORS");
      Deno.env.delete("UNMASK_DATA");
      await local.server.shutdown();
    }
  },
});

Deno.test("the catalogue lists built-in data sets and uploads in pages, and sweeps what was abandoned", async () => {
  await using shelf = await Shelf.open();
  const catalogue = new DatasetCatalogue(shelf.store);
  const { images } = idxDigits(10, "train");
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) {
    ids.push((await createDataset(await shelf.files({ train_images: images }), {}, shelf.store)).id);
  }
  const all: string[] = [];
  for (let after: string | undefined, more = true; more;) {
    const page = await catalogue.list({ limit: 2, after });
    all.push(...page.data.map(({ id }) => id));
    after = all.at(-1);
    more = page.hasMore;
  }
  expect(all).toEqual(["digits", "mnist", "fashion-mnist", ...ids.sort()]);

  await catalogue.delete(ids[0]);
  for (const id of [ids[0], "cifar", "digits/../x"]) {
    await expect(catalogue.info(id)).rejects.toMatchObject({ name: "DatasetNotFoundError" });
    await expect(catalogue.open({ id })).rejects.toMatchObject({ name: "DatasetNotFoundError" });
  }
  await expect(catalogue.delete("digits")).rejects.toMatchObject({ name: "DatasetNotFoundError" });

  const orphan = `datasets/ds_${"0".repeat(26)}/train-images.raw`;
  await shelf.store.put(orphan, new Uint8Array(3));
  expect(await catalogue.sweep()).toEqual([]);
  expect(await catalogue.sweep(Date.now() + 25 * 3_600_000)).toEqual([`ds_${"0".repeat(26)}`]);
  expect(await shelf.keys()).not.toContain(orphan);
  expect((await catalogue.list({ limit: 100 })).data.length).toBe(5);
});
