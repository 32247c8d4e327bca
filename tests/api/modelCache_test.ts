import { expect } from "expect";
import { ModelCache } from "../../api/inference/modelCache.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import { TestApi } from "./fixtures.ts";

const MIB = 2 ** 20;

/** A predictor that only has a size. */
class SizedPredictor {
  isDisposed = false;
  constructor(public memoryBytes: number) {}

  dispose(): Promise<void> {
    this.isDisposed = true;
    return Promise.resolve();
  }
}

/** A cache of 40 MiB whose predictors have `bytes` bytes. */
function cacheOf(api: TestApi, bytes: number): ModelCache {
  const open = () => Promise.resolve(new SizedPredictor(bytes) as unknown as Predictor);
  return new ModelCache(api.objects, open, 40 * MIB);
}

const sized = (predictor: Predictor) => predictor as unknown as SizedPredictor;

Deno.test("the least recently used model is removed when the memory of the models exceeds the limit", async () => {
  await using api = await TestApi.open();
  const [a, b, c] = [await api.model(), await api.model(), await api.model()];
  const cache = cacheOf(api, 17 * MIB);
  const first = sized(await cache.get(a)), second = sized(await cache.get(b));
  expect(sized(await cache.get(a))).toBe(first);
  await cache.get(c);
  expect([first.isDisposed, second.isDisposed]).toEqual([false, true]);
  expect(sized(await cache.get(b))).not.toBe(second);
});

Deno.test("a model whose buffers have grown displaces the others, and not itself", async () => {
  await using api = await TestApi.open();
  const [a, b] = [await api.model(), await api.model()];
  const cache = cacheOf(api, 8 * MIB);
  const first = sized(await cache.get(a)), second = sized(await cache.get(b));
  second.memoryBytes = 100 * MIB;
  expect(sized(await cache.get(b))).toBe(second);
  expect([first.isDisposed, second.isDisposed]).toEqual([true, false]);
});

Deno.test("a model that cannot be opened is opened again by the next call", async () => {
  await using api = await TestApi.open();
  const model = await api.model();
  let opened = 0;
  const cache = new ModelCache(api.objects, () => {
    if (++opened === 1) return Promise.reject(new Error("no memory"));
    return Promise.resolve(new SizedPredictor(1) as unknown as Predictor);
  }, MIB);
  await expect(cache.get(model)).rejects.toThrow("no memory");
  expect(sized(await cache.get(model)).memoryBytes).toBe(1);
});
