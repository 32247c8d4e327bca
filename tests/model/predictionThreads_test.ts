import { expect } from "expect";
import { BackendError } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { barrier, fail, newControl } from "../../model/backends/simd/plan/barrier.ts";
import { ModelMemory } from "../../model/backends/simd/prediction/modelMemory.ts";
import { ThreadPool } from "../../model/backends/simd/prediction/threadPool.ts";
import { imageDim } from "../../model/config.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { PRESETS } from "../../model/presets.ts";
import { uniform } from "../../model/random.ts";
import { initialWeights, parameterSpecs } from "../../model/weights.ts";

const config = PRESETS.mnist;
const weights = initialWeights(parameterSpecs(config, { model: "mae" }), 0);
/** Enough images for the threads. */
const pixels = uniform({ seed: 1, purpose: "images" }, 128 * imageDim(config));

async function open() {
  const { planner } = await selectBackend("simd");
  return openPredictor({ config, weights, threads: 2 }, planner);
}

Deno.test("a worker does not wait for one that has failed before", () => {
  const control = newControl();
  fail(control);
  expect(() => barrier(control, 2)).toThrow("Another worker failed");
});

Deno.test("when a thread fails, its predictors throw a BackendError, and new predictors get new threads", async () => {
  const broken = await open();
  const expected = await broken.features(pixels);
  const pool = ThreadPool.acquire(2);
  // No model has this number.
  const run = { type: "run", model: 1e6, chunks: [{ program: "", input: 0, output: 0 }] } as const;
  await expect(pool.run([run, run])).rejects.toThrow(BackendError);
  pool.release();
  await expect(broken.features(pixels)).rejects.toThrow(BackendError);
  const fresh = await open();
  expect(await fresh.features(pixels)).toEqual(expected);
  await Promise.all([broken.dispose(), fresh.dispose()]);
});

Deno.test("a predictor that is disposed twice leaves the threads to the others", async () => {
  const [first, second] = await Promise.all([open(), open()]);
  const expected = await first.features(pixels);
  await second.features(pixels);
  await first.dispose();
  await first.dispose();
  expect(await second.features(pixels)).toEqual(expected);
  await second.dispose();
});

Deno.test("a prediction that needs too much memory states how much", () => {
  const memory = new ModelMemory(weights, 0);
  expect(() => memory.grow(3 * 2 ** 30)).toThrow("out of memory: a prediction cannot have 3.0 GiB");
});
