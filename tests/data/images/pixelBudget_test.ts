import { expect } from "expect";
import { PixelBudget } from "../../../data/images/pixelBudget.ts";

/** Asynchronous work that the test completes, with the names of the running work. */
function controlledWork(total: number) {
  const budget = new PixelBudget(total);
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const running = new Set<string>();
  return {
    running,
    start(name: string, pixels: number): Promise<string> {
      const end = Promise.withResolvers<void>();
      ends.set(name, end);
      return budget.run(pixels, async () => {
        running.add(name);
        try {
          await end.promise;
          return name;
        } finally {
          running.delete(name);
        }
      });
    },
    end: (name: string) => ends.get(name)!.resolve(),
    fail: (name: string) => ends.get(name)!.reject(new Error(name)),
  };
}

Deno.test("images run concurrently up to the budget, and in order", async () => {
  const work = controlledWork(10);
  const a = work.start("a", 6), b = work.start("b", 4), c = work.start("c", 5), d = work.start("d", 1);
  expect([...work.running]).toEqual(["a", "b"]);
  work.end("b");
  expect(await b).toBe("b");
  // Small images must not overtake, because a large image might then never run.
  expect([...work.running]).toEqual(["a"]);
  work.end("a");
  expect(await a).toBe("a");
  await Promise.resolve();
  expect([...work.running]).toEqual(["c", "d"]);
  work.end("d");
  work.end("c");
  expect(await Promise.all([c, d])).toEqual(["c", "d"]);
});

Deno.test("an image above the budget runs alone, and a failed image releases its pixels", async () => {
  const work = controlledWork(10);
  const large = work.start("large", 99), small = work.start("small", 1);
  expect([...work.running]).toEqual(["large"]);
  work.fail("large");
  await expect(large).rejects.toThrow("large");
  await Promise.resolve();
  expect([...work.running]).toEqual(["small"]);
  work.end("small");
  expect(await small).toBe("small");
  const next = work.start("next", 10);
  expect([...work.running]).toEqual(["next"]);
  work.end("next");
  expect(await next).toBe("next");
});
