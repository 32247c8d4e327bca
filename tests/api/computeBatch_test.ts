import { expect } from "expect";
import { computeBatch } from "../../api/inference/computeBatch.ts";
import type { Batch, BatchEntry, BatchResult } from "../../api/inference/messages.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { imageDim } from "../../model/config.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import { PRESETS } from "../../model/presets.ts";
import { randomUint32 } from "../../model/random.ts";
import { type Architecture, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { TINY } from "./fixtures.ts";

const ENTRIES: readonly BatchEntry[] = [1, 3, 2, 1, 5].map((count, seed) => ({ count, seed }));

function batch(operation: Batch["operation"], entries = ENTRIES, firstImage = 0): Batch {
  const images = entries.reduce((sum, { count }) => sum + count, 0), dim = imageDim(TINY);
  const pixels = Uint8Array.from(randomUint32({ seed: 1, purpose: "test" }, images * dim, firstImage * dim));
  const checkpoint = { id: "ckpt", config: TINY } as Checkpoint;
  return {
    type: "batch",
    operation,
    checkpoint,
    maskRatio: 0.75,
    withPatches: true,
    withAttention: false,
    entries,
    pixels,
  };
}

async function predictorOf(architecture: Architecture): Promise<Predictor> {
  const { planner } = await selectBackend("simd");
  const weights = initialWeights(parameterSpecs(TINY, architecture), 3);
  return await openPredictor({ config: TINY, weights, threads: 2 }, planner);
}

/** The part of a batch's arrays that belongs to some of its images. */
function part({ arrays }: BatchResult, firstImage: number, count: number): BatchResult["arrays"] {
  const images = ENTRIES.reduce((sum, { count }) => sum + count, 0);
  return Object.fromEntries(
    Object.entries(arrays).map(([name, values]) => {
      const size = values.length / images;
      return [name, values.slice(firstImage * size, (firstImage + count) * size)];
    }),
  );
}

for (
  const [operation, architecture] of [
    ["reconstruct", { model: "mae" }],
    ["classify", { model: "classifier", classes: 10 }],
    ["embed", { model: "classifier", classes: 10 }],
  ] as const
) {
  Deno.test(`${operation}: a request has the same bits in a batch and alone`, async () => {
    const predictor = await predictorOf(architecture);
    const together = await computeBatch(predictor, batch(operation));
    let first = 0;
    for (const entry of ENTRIES) {
      const alone = await computeBatch(predictor, batch(operation, [entry], first));
      expect(part(together, first, entry.count)).toEqual(alone.arrays);
      first += entry.count;
    }
    await predictor.dispose();
  });
}

Deno.test("a request with a number that is not finite fails alone, with the index of its own image", async () => {
  const dim = PRESETS.mnist.embedDim;
  const features = new Float32Array(12 * dim).fill(1);
  features[5 * dim + 2] = NaN; // the second image of the third entry
  const predictor = { config: TINY, features: () => Promise.resolve(features) } as unknown as Predictor;
  const { notFinite } = await computeBatch(predictor, batch("embed"));
  expect(notFinite).toEqual({
    2: expect.stringMatching(/ckpt computes NaN for image 1, not a finite number/),
  });
});
