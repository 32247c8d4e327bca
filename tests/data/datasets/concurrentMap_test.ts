import { expect } from "expect";
import { concurrentMap } from "../../../data/datasets/upload/concurrentMap.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import { encodePng } from "../../../data/images/encodePng.ts";
import { flat } from "../../setup/archives.ts";
import { zipOf } from "../../setup/zip.ts";
import { TempStore } from "./fixtures.ts";

async function* upTo(count: number, fails = false): AsyncGenerator<number> {
  for (let item = 0; item < count; item++) yield await Promise.resolve(item);
  if (fails) throw new Error("the source failed");
}

/** Asynchronous work that the test completes. */
class ControlledWork {
  readonly started: PromiseWithResolvers<number>[] = [];
  readonly #checks: (() => void)[] = [];

  readonly run = (item: number): Promise<number> => {
    this.started[item] = Promise.withResolvers<number>();
    for (const check of this.#checks) check();
    return this.started[item].promise;
  };

  /** Waits until the work on `count` items has started. */
  async waitForStarted(count: number): Promise<void> {
    while (this.started.length < count) {
      await new Promise<void>((resolve) => this.#checks.push(resolve));
    }
  }
}

Deno.test("results are in the order of the items, and the concurrency is limited", async () => {
  const work = new ControlledWork();
  const results = concurrentMap(upTo(5), 3, work.run);
  const first = results.next();
  await work.waitForStarted(3);
  work.started[2].resolve(20);
  work.started[1].resolve(10);
  await Promise.resolve();
  expect(work.started.length).toBe(3);
  work.started[0].resolve(0);
  expect((await first).value).toBe(0);
  const rest = Array.fromAsync(results);
  await work.waitForStarted(5);
  work.started[4].resolve(40);
  work.started[3].resolve(30);
  expect(await rest).toEqual([10, 20, 30, 40]);
});

Deno.test("the error of the earliest item is thrown, and an error of the source comes last", async () => {
  const work = new ControlledWork();
  const all = Array.fromAsync(concurrentMap(upTo(3, true), 8, work.run));
  const outcome = all.then(() => "none", (error) => error.message);
  await work.waitForStarted(3);
  work.started[2].reject(new Error("the third"));
  work.started[1].reject(new Error("the second"));
  work.started[0].resolve(0);
  expect(await outcome).toBe("the second");
  await expect(Array.fromAsync(concurrentMap(upTo(2, true), 8, (item) => Promise.resolve(item)))).rejects
    .toThrow(
      "the source failed",
    );
});

Deno.test("the error names the first of several damaged images in the archive", async () => {
  await using temp = await TempStore.open();
  const side = 1500;
  const noise = Uint8Array.from({ length: side * side }, (_, i) => (i * i) % 251);
  // Detecting the damage takes far longer for the first image than for the second.
  const large = (await encodePng(noise, side, side, 1)).slice(0, -2000);
  const small = (await flat(10)).slice(0, -16);
  const archive = zipOf([
    { name: "a/0.png", bytes: await flat(10) },
    { name: "a/1.png", bytes: large },
    { name: "a/2.png", bytes: small },
  ]);
  const upload = createDataset(await temp.files({ archive }), {}, temp.store);
  await expect(upload).rejects.toThrow("'a/1.png'");
  expect(await temp.keys()).toEqual([]);
});
