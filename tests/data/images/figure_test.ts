import { expect } from "expect";
import sharp from "sharp";
import { viridis } from "../../../data/images/colourMap.ts";
import { type FigureImage, renderFigure } from "../../../data/images/figure.ts";

const GAP = 8;

/** A grey image. */
const grey = (...values: number[]): FigureImage => ({ pixels: Uint8Array.from(values), channels: 1 });

/** Renders rows and returns functions that read single pixels. */
async function render(rows: readonly (readonly FigureImage[])[], size: number, channels: 1 | 3) {
  const png = await renderFigure(rows, size);
  const { data, info } = await sharp(png).toColourspace(channels === 1 ? "b-w" : "srgb").raw()
    .toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(channels);
  const { width, height } = info, columns = rows[0].length;
  const scale = (width - (columns + 1) * GAP) / (columns * size);
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

Deno.test("a row has its images in their order, with enlarged pixels", async () => {
  const row = [grey(0, 255, 51, 102), grey(128, 128, 51, 102), grey(1, 254, 51, 102)];
  const other = [grey(255, 0, 102, 51), ...row.slice(1)];
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
  const black = grey(0, 0, 0, 0);
  const { canvas, step, width, height } = await render([[black, black, black], [black, black, black]], 2, 1);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const inImage = x % step >= GAP && y % step >= GAP;
      if (canvas(x, y)[0] !== (inImage ? 0 : 255)) {
        throw new Error(`The pixel (${x}, ${y}) has another colour`);
      }
    }
  }
});

Deno.test("a colour image keeps its channels, and a grey one beside it is grey", async () => {
  const colours = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 51, 102, 153);
  const image = { pixels: colours, channels: 3 } as const;
  const { pixel } = await render([[image, grey(0, 255, 51, 102), image]], 2, 3);
  expect([[0, 0], [1, 0], [0, 1]].map(([x, y]) => pixel(0, 1, x, y))).toEqual([
    [[0, 0, 0]],
    [[255, 255, 255]],
    [[51, 51, 51]],
  ]);
  for (const column of [0, 2]) {
    expect(pixel(0, column, 0, 0)).toEqual([[255, 0, 0]]);
    expect(pixel(0, column, 1, 0)).toEqual([[0, 255, 0]]);
    expect(pixel(0, column, 0, 1)).toEqual([[0, 0, 255]]);
    expect(pixel(0, column, 1, 1)).toEqual([[51, 102, 153]]);
  }
});

Deno.test("small images are enlarged by a whole number, and large ones are not enlarged", async () => {
  for (const [count, size, scale, width, height] of [[4, 28, 6, 536, 712], [1, 224, 1, 704, 240]]) {
    const black = { pixels: new Uint8Array(size * size), channels: 1 } as const;
    expect(await render(new Array(count).fill([black, black, black]), size, 1)).toMatchObject({
      scale,
      width,
      height,
    });
  }
});

Deno.test("captions are in the middle above their columns, and differ", async () => {
  const black = { pixels: new Uint8Array(28 * 28), channels: 1 } as const;
  const captions = ["original", "reconstruction + visible"];
  const image = sharp(await renderFigure([[black, black]], 28, captions)).toColourspace("b-w").raw();
  const { data, info: { width, height } } = await image.toBuffer({ resolveWithObject: true });
  const plain = sharp(await renderFigure([[black, black]], 28)).toColourspace("b-w").raw();
  const without = (await plain.toBuffer({ resolveWithObject: true })).info.height;
  expect(height).toBeGreaterThan(without + 15);
  // The last rows are the figure without captions.
  expect(data.subarray((height - without) * width)).toEqual(await plain.toBuffer());

  const inkOf = (left: number, right: number) => {
    const columns: number[] = [];
    for (let x = left; x < right; x++) {
      for (let y = 0; y < height - without; y++) if (data[y * width + x] < 128) columns.push(x);
    }
    return { first: columns[0], last: columns.at(-1)!, pixels: columns.length };
  };
  const [short, long] = [inkOf(0, 180), inkOf(180, width)];
  expect(Math.abs((short.first + short.last) / 2 - (8 + 84))).toBeLessThan(3);
  expect(Math.abs((long.first + long.last) / 2 - (184 + 84))).toBeLessThan(3);
  expect(long.pixels).toBeGreaterThan(2 * short.pixels);
  expect(long.last - long.first).toBeLessThan(176);
});

Deno.test("captions need no font of the machine", async () => {
  const folder = await Deno.makeTempDir();
  const config =
    `<?xml version="1.0"?><fontconfig><dir>${folder}</dir><cachedir>${folder}</cachedir></fontconfig>`;
  await Deno.writeTextFile(`${folder}/fonts.conf`, config);
  const figureModule = new URL("../../../data/images/figure.ts", import.meta.url);
  const code = `import { renderFigure } from ${JSON.stringify(figureModule.href)};
    const image = { pixels: new Uint8Array(4), channels: 1 };
    const png = await renderFigure([[image, image]], 2, ["masked", "attention"]);
    console.log(png.toBase64());`;
  await Deno.writeTextFile(`${folder}/draw.ts`, code);
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", "deno.json", `${folder}/draw.ts`],
    cwd: new URL("../../..", import.meta.url),
    env: { FONTCONFIG_FILE: `${folder}/fonts.conf` },
    stderr: "inherit",
  }).output();
  await Deno.remove(folder, { recursive: true });
  expect(success).toBe(true);
  const image = { pixels: new Uint8Array(4), channels: 1 } as const;
  const here = await renderFigure([[image, image]], 2, ["masked", "attention"]);
  expect(new TextDecoder().decode(stdout).trim()).toBe(here.toBase64());
});

Deno.test("the colours of a map begin with violet and end with yellow, and become lighter", () => {
  expect([viridis(-1), viridis(0), viridis(1), viridis(2)]).toEqual([
    [68, 1, 84],
    [68, 1, 84],
    [253, 231, 37],
    [253, 231, 37],
  ]);
  const lightness = Array.from({ length: 101 }, (_, i) => {
    const [red, green, blue] = viridis(i / 100);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  });
  for (let i = 1; i < lightness.length; i++) expect(lightness[i]).toBeGreaterThan(lightness[i - 1]);
});
