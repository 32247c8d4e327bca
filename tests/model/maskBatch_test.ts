import { expect } from "expect";
import { classTokenFirst, prependRow, withClassToken, withoutFirstRow } from "../../model/classToken.ts";
import { completeConfig } from "../../model/config.ts";
import { maskBatch } from "../../model/mae.ts";
import { randomMasking } from "../../model/masking.ts";
import { positionTables } from "../../model/positions.ts";
import { uniform } from "../../model/random.ts";

Deno.test("the class token is the first of the encoder's tokens", () => {
  const { restoreRows, keepRows, mask } = classTokenFirst(2, 3);
  expect([...restoreRows]).toEqual([-1, 0, 1, 2, -1, 3, 4, 5]);
  expect([...keepRows]).toEqual([1, 2, 3, 5, 6, 7]);
  expect([...mask]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
});

Deno.test("the decoder gets the class token first, and it is never masked", () => {
  const masking = randomMasking(Float32Array.of(0.9, 0.1, 0.5, 0.2, 0.8, 0.3), 2, 3, 0.5); // keeps 1 of 3
  const { batch, patches, keep, restoreRows, keepRows, mask } = withClassToken(masking);
  expect([batch, patches, keep]).toEqual([2, 4, 2]);
  // The encoder's rows are: class token and patch 1 of the first image, class token and patch 0 of the second.
  expect([...restoreRows]).toEqual([0, -1, 1, -1, 2, 3, -1, -1]);
  expect([...keepRows]).toEqual([0, 2, 4, 5]);
  expect([...mask]).toEqual([0, 1, 0, 1, 0, 0, 1, 1]);
});

Deno.test("rows are inserted before those of each image, and removed", () => {
  const rows = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const extended = prependRow(rows, 2, Float32Array.of(9, 9), new Float32Array(12));
  expect([...extended]).toEqual([9, 9, 1, 2, 3, 4, 9, 9, 5, 6, 7, 8]);
  expect(withoutFirstRow(extended, 2, 2)).toEqual(rows);
});

Deno.test("a masked batch has the positions of the class token and of the visible patches", () => {
  const config = completeConfig({ imageSize: 8, clsToken: true });
  const { target, positions, masking } = maskBatch(
    config,
    new Float32Array(64).fill(1),
    Float32Array.of(3, 1, 2, 0),
    0.5,
  );
  const { encoder } = positionTables(config),
    row = (token: number) => [...encoder.subarray(token * 64, token * 64 + 64)];
  expect([...masking.idsKeep]).toEqual([3, 1]);
  expect([...positions]).toEqual([...row(0), ...row(4), ...row(2)]);
  expect([...target]).toEqual([...new Array(16).fill(0), ...new Array(64).fill(1)]);
});

Deno.test("norm_pix_loss normalises the target, and not what the encoder receives", () => {
  const config = completeConfig({ imageSize: 8 });
  const pixels = uniform({ seed: 0, purpose: "images" }, 64), noise = Float32Array.of(3, 1, 2, 0);
  const plain = maskBatch(config, pixels, noise, 0.5);
  const normalized = maskBatch({ ...config, normPixLoss: true }, pixels, noise, 0.5);
  expect(normalized.patches).toEqual(plain.patches);
  // The sum of squares is n - 1 for the unbiased variance.
  const squares = normalized.target.subarray(0, 16).reduce((sum, value) => sum + value ** 2, 0);
  expect(squares).toBeCloseTo(15, 2);
});
