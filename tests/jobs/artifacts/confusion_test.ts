import { expect } from "expect";
import { confusionSummary, MAX_INLINE_CLASSES, MAX_INLINE_NAMES } from "../../../jobs/artifacts/confusion.ts";
import { RESULT_BYTES, resultBytes } from "../../../jobs/store/queue/outcome.ts";
import { withStore } from "../fixtures.ts";

Deno.test("the largest result of a classifier fits in a row with the largest request", async () => {
  const largest = (classes: number, length: number) => {
    const counts = new Uint32Array(classes * classes).fill(2 ** 32 - 1);
    const names = Array.from({ length: classes }, () => "\u732b".repeat(length));
    const summary = confusionSummary(`job_${"0".repeat(26)}`, names, { classes, counts });
    const checkpoint = `ckpt_${"0".repeat(26)}`;
    return { accuracy: 1 / 3, loss: 1 / 3, ...summary, images: 2 ** 32 - 1, checkpoint };
  };
  // Names of the longest length that is in the result, of the next length, and the largest number of classes.
  const fits = Math.floor((MAX_INLINE_NAMES - 1) / MAX_INLINE_CLASSES) - 3;
  expect(largest(MAX_INLINE_CLASSES, fits)).toHaveProperty("classNames");
  expect(largest(MAX_INLINE_CLASSES, fits + 1)).not.toHaveProperty("classNames");
  expect(largest(MAX_INLINE_CLASSES + 1, 1)).not.toHaveProperty("confusion");
  const metadata = Object.fromEntries(
    Array.from({ length: 16 }, (_, index) => [`${index}`.padEnd(64, "ж"), "ж".repeat(512)]),
  );
  await withStore(async ({ store, running }) => {
    for (const result of [largest(MAX_INLINE_CLASSES, fits), largest(4096, 255)]) {
      expect(resultBytes(result)).toBeLessThan(RESULT_BYTES);
      const { id, claim } = await running({ metadata, name: "ж".repeat(128) });
      await claim.finish({ type: "succeeded", result });
      expect(await store.get(id)).toMatchObject({ status: "succeeded", result });
    }
  });
});
