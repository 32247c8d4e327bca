import { expect } from "expect";
import sharp from "sharp";
import { renderTriptych, type TriptychRow } from "../../../data/images/triptych.ts";

const GAP = 8;

/** Renders rows and returns functions that read single pixels. */
async function render(rows: readonly TriptychRow[], size: number, channels: 1 | 3) {
  const png = await renderTriptych(rows, size, channels);
  const { data, info } = await sharp(png).toColourspace(channels === 1 ? "b-w" : "srgb").raw()
    .toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(channels);
  const { width, height } = info, scale = (width - 4 * GAP) / (3 * size);
  const step = size * scale + GAP;
  const canvas = (
    x: number,
    y: number,
  ) => [...data.subarray((y * width + x) * channels).subarray(0, channels)];
  return {
    scale,
    width,
    height,
    step,
    canvas,
    /** Returns the distinct colours of the enlarged pixel (x, y) of an image. */
    pixel(row: number, column: number, x: number, y: number): number[][] {
      const colours = new Map<string, number[]>();
      for (let dy = 0; dy < scale; dy++) {
        for (let dx = 0; dx < scale; dx++) {
          const colour = canvas(GAP + column * step + x * scale + dx, GAP + row * step + y * scale + dy);
          colours.set(colour.join(), colour);
        }
      }
      return [...colours.values()];
    },
  };
}

Deno.test("a row has the original, masked and reconstructed image, with enlarged pixels", async () => {
  const row = {
    original: Uint8Array.of(0, 255, 51, 102),
    masked: Uint8Array.of(128, 128, 51, 102),
    reconstruction: Uint8Array.of(1, 254, 51, 102),
  };
  const other = { ...row, original: Uint8Array.of(255, 0, 102, 51) };
  const { pixel } = await render([row, other], 2, 1);
  const values = (row: number, column: number) =>
    [[0, 0], [1, 0], [0, 1], [1, 1]].map(([x, y]) => pixel(row, column, x, y).flat());
  expect(values(0, 0)).toEqual([[0], [255], [51], [102]]);
  expect(values(0, 1)).toEqual([[128], [128], [51], [102]]);
  expect(values(0, 2)).toEqual([[1], [254], [51], [102]]);
  expect(values(1, 0)).toEqual([[255], [0], [102], [51]]);
  expect(values(1, 2)).toEqual(values(0, 2));
});

Deno.test("the background and the gaps around the images are white", async () => {
  const black = new Uint8Array(4);
  const { canvas, step, width, height } = await render(
    [0, 1].map(() => ({ original: black, masked: black, reconstruction: black })),
    2,
    1,
  );
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inImage = x % step >= GAP && y % step >= GAP;
      if (canvas(x, y)[0] !== (inImage ? 0 : 255)) {
        throw new Error(`The pixel (${x}, ${y}) has another colour`);
      }
    }
  }
});

Deno.test("a colour image keeps its channels", async () => {
  const colours = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 51, 102, 153);
  const { pixel } = await render([{ original: colours, masked: colours, reconstruction: colours }], 2, 3);
  for (const column of [0, 1, 2]) {
    expect(pixel(0, column, 0, 0)).toEqual([[255, 0, 0]]);
    expect(pixel(0, column, 1, 0)).toEqual([[0, 255, 0]]);
    expect(pixel(0, column, 0, 1)).toEqual([[0, 0, 255]]);
    expect(pixel(0, column, 1, 1)).toEqual([[51, 102, 153]]);
  }
});

Deno.test("small images are enlarged by a whole number, and large ones are not enlarged", async () => {
  for (const [count, size, scale, width, height] of [[4, 28, 6, 536, 712], [1, 224, 1, 704, 240]]) {
    const black = new Uint8Array(size * size);
    const row = { original: black, masked: black, reconstruction: black };
    expect(await render(new Array<TriptychRow>(count).fill(row), size, 1)).toMatchObject({
      scale,
      width,
      height,
    });
  }
});
