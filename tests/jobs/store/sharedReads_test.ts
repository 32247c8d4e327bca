import { expect } from "expect";
import { shareRead } from "../../../jobs/store/kv/sharedReads.ts";

/** Reads that end when the test ends them. */
class Reads {
  readonly kv = {} as Deno.Kv;
  readonly started: PromiseWithResolvers<number>[] = [];

  get(name = "a"): Promise<number> {
    return shareRead(this.kv, name, () => {
      const read = Promise.withResolvers<number>();
      this.started.push(read);
      return read.promise;
    });
  }
}

Deno.test("calls during a read share the read that begins after it", async () => {
  const reads = new Reads();
  const first = reads.get(), second = reads.get(), third = reads.get();
  expect(reads.started.length).toBe(1);
  reads.started[0].resolve(1);
  expect(await first).toBe(1);
  const fourth = reads.get();
  expect(reads.started.length).toBe(2);
  reads.started[1].resolve(2);
  expect(await Promise.all([second, third])).toEqual([2, 2]);
  reads.started[2].resolve(3);
  expect(await fourth).toBe(3);
  const fifth = reads.get();
  reads.started[3].resolve(4);
  expect(await fifth).toBe(4);
});

Deno.test("a read that fails does not fail the next one, and keys are independent", async () => {
  const reads = new Reads();
  const first = reads.get("a"), second = reads.get("a"), other = reads.get("b");
  expect(reads.started.length).toBe(2);
  reads.started[1].resolve(7);
  expect(await other).toBe(7);
  reads.started[0].reject(new Error("outage"));
  await expect(first).rejects.toThrow("outage");
  reads.started[2].resolve(8);
  expect(await second).toBe(8);
});
