import { expect } from "expect";
import { DECODED_LIMITS, ImageSummary } from "../../../data/datasets/upload/imageSummary.ts";

const image = (side: number) => ({ height: side, width: side, channels: 1, hasAlpha: false }) as const;

Deno.test("images far larger than their files are accepted up to a limit", () => {
  const summary = new ImageSummary("archive");
  const side = 7000, max = Math.floor(DECODED_LIMITS.allowance / side ** 2);
  for (let i = 0; i < max; i++) summary.add(image(side), 1);
  expect(() => summary.add(image(side), 1)).toThrow(expect.objectContaining({
    name: "DatasetError",
    field: "archive",
    message: expect.stringContaining(`more than ${DECODED_LIMITS.ratio} pixels for each of their bytes`),
  }));
});

Deno.test("images in proportion to their files are accepted without a limit", () => {
  const summary = new ImageSummary("archive");
  const side = 7000, enough = side ** 2 / DECODED_LIMITS.ratio;
  for (let i = 0; i < 1000; i++) summary.add(image(side), enough);
  expect(summary.commonShape()).toEqual({ height: side, width: side, channels: 1 });
});
