import { expect } from "expect";
import { drawDigit } from "../../data/datasets/builtIn/drawDigit.ts";
import { encodePng } from "../../data/images/encodePng.ts";
import type { Bytes } from "../../data/bytes.ts";
import { tarGz } from "../setup/uploads.ts";
import { problemOf, TestApi } from "./fixtures.ts";
import { TestRunner } from "./runner.ts";

interface Result {
  readonly accuracy: number;
  readonly loss: number;
  readonly images: number;
  readonly classes: number;
  readonly class_names?: readonly string[];
  readonly confusion?: readonly (readonly number[])[];
  readonly confusion_url: string;
}

const resultOf = ({ result }: { result: Record<string, unknown> | null }) => result as unknown as Result;

/** Images of digits in folders `test/NAME`, a few of each, and one of each in `train/NAME`. */
async function digitFiles(names: readonly string[]): Promise<{ name: string; path: string; bytes: Bytes }[]> {
  const all: { name: string; path: string; bytes: Bytes }[] = [];
  for (const [index, name] of names.entries()) {
    for (let i = 0; i < 8; i++) {
      const { pixels } = drawDigit(7, "test", index * 8 + i);
      const folder = i === 0 ? "train" : "test";
      all.push({ name, path: `${folder}/${name}/${i}.png`, bytes: await encodePng(pixels, 28, 28, 1) });
    }
  }
  return all;
}

async function uploaded(api: TestApi, names: readonly string[]) {
  const all = await digitFiles(names);
  const archive = await tarGz(Object.fromEntries(all.map(({ path, bytes }) => [path, bytes])));
  const response = await api.upload({ archive });
  expect(response.status).toBe(201);
  const test = all.filter(({ path }) => path.startsWith("test/"));
  return { id: (await response.json()).id as string, test };
}

/** Returns the number of images that the model classifies correctly. */
async function correctCount(
  api: TestApi,
  checkpoint: string,
  test: readonly { name: string; bytes: Bytes }[],
) {
  const body = { checkpoint, pictures: test.map(({ bytes }) => bytes.toBase64()) };
  const { data } = await (await api.post("/v1/classifications", body)).json();
  return data.filter((row: { class_name: string }, i: number) => row.class_name === test[i].name)
    .length;
}

Deno.test("evaluation matches classes by name: in another order, and with fewer classes", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model("classifier", undefined, ["cow", "ant", "bee"]);
  await using runner = new TestRunner(api);
  for (const names of [["ant", "bee", "cow"], ["bee", "cow"], ["bee"]]) {
    const { id: dataset, test } = await uploaded(api, names);
    const job = await runner.run({ kind: "evaluate", checkpoint, dataset });
    const { accuracy, images, class_names, confusion } = resultOf(job);
    expect(images).toBe(test.length);
    expect(accuracy).toBeCloseTo(await correctCount(api, checkpoint, test) / test.length, 12);
    expect(class_names).toEqual(["cow", "ant", "bee"]);
    const rows = confusion!.map((row) => row.reduce((a, b) => a + b));
    expect(rows).toEqual(["cow", "ant", "bee"].map((name) => names.includes(name) ? 7 : 0));
    expect(confusion!.reduce((sum, row, i) => sum + row[i], 0) / images).toBeCloseTo(accuracy, 12);
  }
});

Deno.test("class names in composed and decomposed Unicode are the same class", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model("classifier", undefined, ["caf\u00e9", "the\u0301"]);
  const { id: dataset } = await uploaded(api, ["cafe\u0301", "th\u00e9"]);
  expect((await api.post("/v1/jobs", { kind: "evaluate", checkpoint, dataset })).status).toBe(201);
});

Deno.test("a data set with classes that the classifier does not have is rejected, naming the classes", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint, jobId: job } = await api.model("classifier", undefined, ["ant", "bee", "cow"]);
  const rejected = async (names: readonly string[], source: object = { checkpoint }) => {
    const { id: dataset } = await uploaded(api, names);
    const { errors } = await problemOf(
      await api.post("/v1/jobs", { kind: "evaluate", ...source, dataset }),
      422,
    );
    expect(errors.map(({ path }) => path)).toEqual(["dataset"]);
    return errors[0].message;
  };
  expect(await rejected(["bee", "cow", "dog"])).toMatch(/does not have: 'dog'; .*'ant', 'bee', 'cow'/);
  expect(await rejected(["bee", "cow", "dog"], { job })).toContain("'dog'");
  expect(await rejected(["Ant", "Bee", "Cow"])).toContain("'Ant', 'Bee', 'Cow';");
  const many = Array.from({ length: 40 }, (_, i) => `${i}`.padStart(2, "0") + "x".repeat(200));
  const message = await rejected(many);
  expect(message).toContain("and 32 more");
  expect(message.length).toBeLessThan(1500);
});

Deno.test("a classifier of 4,096 classes is evaluated, and its confusion matrix is stored as an object", async () => {
  await using api = await TestApi.open();
  const names = Array.from({ length: 4096 }, (_, i) => String(i));
  const { id: checkpoint } = await api.model("classifier", undefined, names);
  await using runner = new TestRunner(api);
  const job = await runner.run({ kind: "evaluate", checkpoint, dataset: "digits" });
  expect(job).toMatchObject({ status: "succeeded", result: { images: 2000, classes: 4096 } });
  const { accuracy, loss, confusion, class_names, confusion_url } = resultOf(job);
  expect([typeof accuracy, typeof loss, confusion, class_names]).toEqual([
    "number",
    "number",
    undefined,
    undefined,
  ]);
  const response = await api.send(confusion_url);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/json"]);
  const whole = await response.json();
  expect(whole).toMatchObject({
    object: "confusion",
    job: job.id,
    checkpoint,
    dataset: "digits",
    split: "test",
  });
  expect(whole.class_names).toEqual(names);
  expect(whole.confusion.length).toBe(4096);
  const counts: number[] = whole.confusion.map((row: number[]) => {
    expect(row.length).toBe(4096);
    return row.reduce((a, b) => a + b);
  });
  expect(counts.reduce((a, b) => a + b)).toBe(2000);
  expect(counts.slice(10).every((count) => count === 0)).toBe(true);
  const correct = whole.confusion.reduce((sum: number, row: number[], i: number) => sum + row[i], 0);
  expect(correct / 2000).toBeCloseTo(accuracy, 12);
});

Deno.test("the confusion matrix is served with its length and ETag, and is 404 if there is none", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model("classifier");
  const { id: mae, jobId } = await api.model("mae");
  await using runner = new TestRunner(api);
  const job = await runner.run({ kind: "evaluate", checkpoint, dataset: "digits" });
  const { confusion_url, confusion, class_names } = resultOf(job);
  expect(confusion_url).toBe(`/v1/jobs/${job.id}/results/confusion.json`);
  const whole = await api.send(confusion_url);
  const text = await whole.text();
  expect(JSON.parse(text)).toMatchObject({ confusion, class_names });
  expect(whole.headers.get("content-length")).toBe(String(text.length));
  const etag = whole.headers.get("etag")!;
  expect((await api.send(confusion_url, { headers: { "if-none-match": etag } })).status).toBe(304);
  const head = await api.send(confusion_url, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
    200,
    String(text.length),
    "",
  ]);

  const measured = await runner.run({
    kind: "evaluate",
    checkpoint: mae,
    dataset: "digits",
    batch_size: 1000,
  });
  for (const id of [jobId, measured.id, `job_${"0".repeat(26)}`]) {
    await problemOf(await api.send(`/v1/jobs/${id}/results/confusion.json`), 404);
  }
  await problemOf(await api.send(`/v1/jobs/${job.id}/results/other.json`), 404);
});

Deno.test("the result of fine-tuning has the held-out accuracy and the address of the confusion matrix", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model("mae");
  await using runner = new TestRunner(api);
  const job = await runner.run({
    kind: "finetune",
    checkpoint,
    dataset: { id: "digits", size: 100 },
    batch_size: 50,
  });
  const { test_accuracy, confusion_url } = job.result as { test_accuracy: number; confusion_url: string };
  const { confusion, checkpoint: measured } = await (await api.send(confusion_url)).json();
  expect(measured).toBe(job.latest_checkpoint);
  const correct = confusion.reduce((sum: number, row: number[], i: number) => sum + row[i], 0);
  expect(correct / 2000).toBeCloseTo(test_accuracy, 12);
});

Deno.test("mask_ratio is rejected for a classifier", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint, jobId: job } = await api.model("classifier");
  for (const source of [{ checkpoint }, { job }]) {
    const body = { kind: "evaluate", dataset: "digits", mask_ratio: 0.5, ...source };
    const { errors } = await problemOf(await api.post("/v1/jobs", body), 422);
    expect(errors.map(({ path }) => path)).toEqual(["mask_ratio"]);
  }
});
