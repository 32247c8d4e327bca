/**
 * Computes batches of inference requests.
 *
 * @module
 */
import { notFinite } from "../../jobs/kinds/finite.ts";
import { numPatches } from "../../model/config.ts";
import { classAttention } from "../../model/prediction/classAttention.ts";
import { classifyLogits, maskNoise, reconstructWith } from "../../model/prediction/inference.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import type { Batch, BatchEntry, BatchResult } from "./messages.ts";

/** Computes a batch. An entry has the same numbers as if it were computed alone. */
export async function computeBatch(predictor: Predictor, batch: Batch): Promise<BatchResult> {
  const { operation, checkpoint, entries, maskRatio, withPatches, withAttention, pool } = batch;
  const pixels = new Float32Array(batch.pixels.length);
  for (let i = 0; i < pixels.length; i++) pixels[i] = batch.pixels[i] / 255;
  const result = (arrays: BatchResult["arrays"], ...checked: Float32Array[]): BatchResult => ({
    type: "result",
    arrays,
    notFinite: findNotFinite(checkpoint.id, entries, checked),
  });
  switch (operation) {
    case "reconstruct": {
      const noise = masksOf(predictor, batch);
      const { pred, losses, mask, idsRestore } = await reconstructWith(predictor, pixels, noise, maskRatio);
      const attention = withAttention ? await classAttention(predictor, pixels) : null;
      const arrays = {
        losses,
        mask,
        idsRestore,
        ...(withPatches && { pred }),
        ...(attention && { attention }),
      };
      // The square of a finite value can overflow, so the losses are checked as well.
      return result(arrays, pred, losses, ...(attention ? [attention] : []));
    }
    case "classify": {
      const logits = await predictor.logits(pixels);
      const { probabilities } = classifyLogits(logits, imagesOf(entries));
      return result({ probabilities }, probabilities);
    }
    case "embed": {
      const features = await predictor.features(pixels, pool);
      return result({ features }, features);
    }
  }
}

const imagesOf = (entries: readonly BatchEntry[]) => entries.reduce((sum, { count }) => sum + count, 0);

/** Returns the noise of each entry's masks, which is given or depends on the entry's own seed. `[images, N]` */
function masksOf({ config }: Predictor, { entries, maskRatio }: Batch): Float32Array {
  const patches = numPatches(config), noise = new Float32Array(imagesOf(entries) * patches);
  let first = 0;
  for (const { count, seed, masking, noise: given } of entries) {
    noise.set(given ?? maskNoise(config, count, { seed, maskRatio, masking }), first);
    first += count * patches;
  }
  return noise;
}

/** Returns why entries with a number that is not finite fail, by their index. */
function findNotFinite(
  id: string,
  entries: readonly BatchEntry[],
  checked: readonly Float32Array[],
): Record<number, string> {
  const failures: Record<number, string> = {}, images = imagesOf(entries);
  for (const values of checked) {
    const perImage = values.length / images;
    let end = 0;
    for (const [index, { count }] of entries.entries()) {
      const start = end;
      end += count * perImage;
      let i = start;
      while (i < end && Number.isFinite(values[i])) i++;
      if (i === end) continue;
      const image = Math.floor((i - start) / perImage);
      failures[index] ??= notFinite(`Checkpoint ${id} computes ${values[i]} for image ${image}`).message;
    }
  }
  return failures;
}
