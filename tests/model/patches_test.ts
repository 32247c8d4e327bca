import { expect } from "expect";
import { patchify, unpatchify } from "../../model/patches.ts";
import { config } from "./smallModel.ts";

Deno.test("patchify orders values by row, column and channel, and unpatchify is its inverse", () => {
  // The value of each pixel encodes its position: 1000 · y + 10 · x + channel.
  const image = Float32Array.from({ length: 12 * 12 * 3 }, (_, i) => {
    return 1000 * Math.floor(i / 36) + 10 * (Math.floor(i / 3) % 12) + i % 3;
  });
  const patches = patchify(image, config);
  const patch = patches.slice(5 * 48, 6 * 48);
  expect([...patch.slice(0, 6)]).toEqual([4080, 4081, 4082, 4090, 4091, 4092]);
  expect(patch[47]).toBe(7112);
  expect(unpatchify(patches, config)).toEqual(image);
});
