import { expect } from "expect";
import sharp from "sharp";
import { drawDigit } from "../../data/datasets/builtIn/drawDigit.ts";
import { viridis } from "../../data/images/colourMap.ts";
import { pngDigit } from "../setup/uploads.ts";
import { problemOf, TestApi, TINY } from "./fixtures.ts";

const PATCHES = 16, SIDE = 7, SIZE = 28;
/** A mask of the lower half. */
const half = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
const digits = (...indices: number[]) => ({ id: "digits", seed: 1, indices });

interface Body {
  readonly mask_source: string;
  readonly mask_ratio: number;
  readonly masking: string | null;
  readonly seed: number | null;
  readonly notes: string[];
  readonly data: {
    readonly index: number;
    readonly loss: number;
    readonly mask: number[];
    readonly ids_restore: number[];
    readonly ids_keep: number[];
    readonly images: Record<string, string>;
    readonly patches: number[][];
    readonly pred: number[][];
    readonly errors: number[];
  }[];
}

async function json<T = Body>(response: Response): Promise<T> {
  const text = await response.text();
  expect({ status: response.status, text: text.slice(0, 500) }).toMatchObject({ status: 200 });
  return JSON.parse(text);
}

/** Decodes a PNG. @returns the colour of a pixel, with one or three channels */
async function pixelsOf(bytes: Uint8Array) {
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  const pixel = (x: number, y: number) =>
    [...data.subarray((y * info.width + x) * info.channels)].slice(0, 3);
  return { ...info, pixel };
}

Deno.test("masks that a request gives are used, and give the same result in each form", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const base = { checkpoint: id, dataset: digits(0, 3), include: ["pred", "patches"] };
  const reconstruct = async (fields: object) =>
    await json(await api.post("/v1/reconstructions", { ...base, ...fields }));

  const drawn = await reconstruct({ seed: 7, mask_ratio: 0.7 });
  expect(drawn).toMatchObject({ mask_source: "seed", masking: "random", seed: 7, mask_ratio: 0.7 });
  for (const { mask, ids_restore, ids_keep, pred, patches } of drawn.data) {
    expect(ids_keep.length).toBe(4);
    expect(mask.map((_, patch) => ids_keep.includes(patch) ? 0 : 1)).toEqual(mask);
    ids_keep.forEach((patch, rank) => expect(ids_restore[patch]).toBe(rank));
    expect(patches).toEqual(pred);
  }

  // The sources that contain the order of the patches repeat the numbers exactly.
  const results = drawn.data.map(({ loss, pred, ids_keep }) => ({ loss, pred, ids_keep }));
  const byIds = await reconstruct({ ids_keep: drawn.data.map(({ ids_keep }) => ids_keep) });
  expect(byIds).toMatchObject({ mask_source: "ids_keep", masking: null, seed: null, mask_ratio: 12 / 16 });
  expect(byIds.data).toMatchObject(results);
  const noise = drawn.data.map(({ ids_restore }) => ids_restore.map((rank) => rank / 16 - 0.5));
  expect((await reconstruct({ noise, mask_ratio: 0.7 })).data).toMatchObject(results);

  // A mask has no order. The visible patches are encoded in patch order.
  const byMask = await reconstruct({ mask: drawn.data.map(({ mask }) => mask) });
  byMask.data.forEach(({ mask, ids_keep, loss }, image) => {
    expect(mask).toEqual(drawn.data[image].mask);
    expect(ids_keep).toEqual([...drawn.data[image].ids_keep].sort((a, b) => a - b));
    expect(loss).toBeCloseTo(drawn.data[image].loss, 6);
  });

  // One list is used for all images.
  const [{ ids_keep }] = drawn.data;
  const shared = await reconstruct({ ids_keep });
  expect(shared.data.map((image) => image.ids_keep)).toEqual([ids_keep, ids_keep]);
  expect(shared.data[0]).toMatchObject(results[0]);
});

Deno.test("noise keeps the patches with the smallest numbers, and the first of equal ones", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const noise = [5, -1, 5, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, -2e30];
  const { data: [{ ids_keep }] } = await json(
    await api.post("/v1/reconstructions", { checkpoint: id, dataset: digits(0), noise, mask_ratio: 0.6 }),
  );
  expect(ids_keep).toEqual([15, 1, 3, 4, 0, 2]);
});

Deno.test("a request selects how masks are drawn, and a batch does not change them", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const base = { checkpoint: id, dataset: digits(0, 3) };
  const reconstruct = async (fields: object) =>
    await json(await api.post("/v1/reconstructions", { ...base, ...fields }));
  const requests = [
    { masking: "grid" },
    { masking: "block" },
    { masking: "random" },
    {},
    { masking: "grid", seed: 1 },
    { ids_keep: [[3, 1, 2, 0], [9, 8, 7, 15]] },
    { noise: half.map((_, patch) => patch * 7 % 16) },
    { mask: half },
  ];
  const alone: Body[] = [];
  for (const fields of requests) alone.push(await reconstruct(fields));
  expect(await Promise.all(requests.map(reconstruct))).toEqual(alone);
  const [grid, block, random, byDefault] = alone;
  expect([grid.masking, block.masking, byDefault.masking]).toEqual(["grid", "block", "random"]);
  expect(byDefault).toEqual(random);
  for (const { mask } of grid.data) {
    for (const corner of [0, 2, 8, 10]) {
      const cell = [0, 1, 4, 5].map((offset) => mask[corner + offset]);
      expect(cell.reduce((a, b) => a + b)).toBe(3);
    }
  }
  for (const { data } of alone.slice(0, -1)) {
    for (const { mask } of data) expect(mask.reduce((a, b) => a + b)).toBe(12);
  }
});

Deno.test("masks that do not fit the model or the images are rejected by their path", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const other = [1, ...half.slice(1)];
  const table: [fields: object, path: string, pattern: RegExp][] = [
    [{ mask: half.slice(1) }, "mask", /16 numbers.*15 were given/],
    [{ mask: [half, half, half.slice(2)] }, "mask.2", /16 numbers.*14 were given/],
    [{ mask: [half, half] }, "mask", /each of the 3 images: 2 lists were given/],
    [{ mask: [half, half, other] }, "mask.2", /keeps 7 patches, and mask.0 keeps 8/],
    [{ mask: half.map(() => 1) }, "mask", /keeps no patch/],
    [{ mask: [half, half.map(() => 0), half] }, "mask.1", /masks no patch/],
    [{ mask: [...half.slice(1), 2] }, "mask.15", /0 or 1/],
    [{ mask: [half, half, [0, 0.5]] }, "mask.2.1", /0 or 1/],
    [{ mask: [half, 0, half] }, "mask.1", /an array/],
    [{ mask: [] }, "mask", /at least 1/],
    [{ ids_keep: [0, 16] }, "ids_keep.1", /0 to 15/],
    [{ ids_keep: [3, 4, 3] }, "ids_keep.2", /twice/],
    [{ ids_keep: [[1], [1], [1, 2]] }, "ids_keep.2", /keeps 2 patches, and ids_keep.0 keeps 1/],
    [{ ids_keep: [[1], [1], [-1]] }, "ids_keep.2.0", /at least 0/],
    [{ ids_keep: [...half.keys()] }, "ids_keep", /masks no patch/],
    [{ ids_keep: [1.5] }, "ids_keep.0", /whole number/],
    [{ noise: [1, 2] }, "noise", /16 numbers.*2 were given/],
    [{ noise: half.map(() => 1e300) }, "noise.0", /float32/],
    [{ noise: half.map(String) }, "noise.0", /number/],
    [{ noise: half, mask: half }, "noise", /absent beside mask/],
    [{ seed: 0, ids_keep: [1] }, "seed", /absent beside ids_keep/],
    [{ mask: half, mask_ratio: 0.5 }, "mask_ratio", /absent beside mask/],
    [{ noise: half, masking: "grid" }, "masking", /absent beside noise/],
    [{ masking: "blocks" }, "masking", /"random", "block", "grid"/],
    [{ columns: [] }, "columns", /at least 1/],
    [{ columns: ["masked", "original", "masked"] }, "columns.2", /twice/],
    [{ columns: ["original", "mask"] }, "columns.1", /reconstruction_visible/],
    [{ include: ["images", "images"] }, "include.1", /twice/],
    [{ columns: ["original", "attention"] }, "columns.1", /cls_token/],
    [{ include: ["attention"] }, "include.0", /cls_token/],
    [{ captions: "yes" }, "captions", /true or false/],
  ];
  for (const [fields, path, pattern] of table) {
    const body = { checkpoint: id, dataset: digits(0, 1, 2), ...fields };
    const { errors } = await problemOf(await api.post("/v1/reconstructions", body), 422);
    expect(errors[0]).toEqual({ path, message: expect.stringMatching(pattern) });
  }
});

Deno.test("the columns of a figure have the order of the request, and the errors have colours", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const columns = ["error", "reconstruction_visible", "original"];
  const body = { checkpoint: id, dataset: digits(2), mask: half, columns };
  const { data: [{ images, errors, patches }] } = await json(
    await api.post("/v1/reconstructions", { ...body, include: ["errors", "images", "patches"] }),
  );
  expect(Object.keys(images)).toEqual(columns);
  const original = drawDigit(1, "test", 2).pixels;
  const parts = await Promise.all(columns.map((name) => pixelsOf(Uint8Array.fromBase64(images[name]))));
  for (let patch = 0; patch < PATCHES; patch++) {
    const top = Math.floor(patch / 4) * SIDE, left = patch % 4 * SIDE;
    let sum = 0;
    for (let i = 0; i < SIDE * SIDE; i++) {
      const value = original[(top + Math.floor(i / SIDE)) * SIZE + left + i % SIDE];
      sum += (patches[patch][i] - value / 255) ** 2;
    }
    expect(errors[patch]).toBeCloseTo(sum / (SIDE * SIDE), 5);
    expect(parts[0].pixel(left + 3, top + 3)).toEqual(viridis(Math.sqrt(errors[patch]) / 0.5));
    const visible = half[patch] === 0, value = original[(top + 3) * SIZE + left + 3];
    const predicted = Math.round(255 * Math.min(1, Math.max(0, patches[patch][3 * SIDE + 3])));
    expect(parts[1].pixel(left + 3, top + 3)[0]).toBe(visible ? value : predicted);
    expect(parts[2].pixel(left + 3, top + 3)[0]).toBe(value);
  }

  const png = await api.post("/v1/reconstructions", body, { accept: "image/png" });
  const figure = await pixelsOf(await png.bytes());
  expect([figure.width, figure.height, figure.channels]).toEqual([3 * 176 + 8, 176 + 8, 3]);
  const middle = (column: number, patch: number) =>
    figure.pixel(8 + 176 * column + 42 * (patch % 4) + 21, 8 + 42 * Math.floor(patch / 4) + 21);
  for (const patch of [0, 5, 15]) {
    expect(middle(0, patch)).toEqual(viridis(Math.sqrt(errors[patch]) / 0.5));
    const value = original[(Math.floor(patch / 4) * SIDE + 3) * SIZE + patch % 4 * SIDE + 3];
    expect(middle(2, patch)).toEqual([value, value, value]);
  }
  const captioned = await pixelsOf(
    await (await api.post("/v1/reconstructions", { ...body, captions: true }, { accept: "image/png" }))
      .bytes(),
  );
  expect([captioned.width, captioned.height]).toEqual([figure.width, figure.height + 24]);
});

Deno.test("the fields of masks and figures are the same in a form", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const post = async (fields: Record<string, string>) => {
    const form = new FormData();
    for (const [name, value] of Object.entries({ checkpoint: id, ...fields })) form.set(name, value);
    form.append("pictures", new File([await pngDigit(0)], "0.png"));
    return await api.send("/v1/reconstructions", { method: "POST", body: form });
  };
  const base = { checkpoint: id, pictures: [(await pngDigit(0)).toBase64()] };
  for (
    const fields of [
      { mask: half, columns: ["error", "masked"], include: ["images"] },
      { ids_keep: [[3, 1]] },
      { noise: half.map((value, i) => value + i / 7), mask_ratio: 0.3 },
      { masking: "block", seed: 3, captions: true, include: ["errors", "pred"] },
    ]
  ) {
    const asForm = Object.fromEntries(
      Object.entries(fields).map(([name, value]) => {
        const isList = ["columns", "include"].includes(name);
        return [name, isList ? String(value) : typeof value === "string" ? value : JSON.stringify(value)];
      }),
    );
    expect(await json(await post(asForm))).toEqual(
      await json(await api.post("/v1/reconstructions", { ...base, ...fields })),
    );
  }
  const deep = `[${"[1,".repeat(1000)}`;
  for (const mask of ["0,1", "{}", "[0,1", '["0"]', '[{"a":1}]', deep, "[1,,2]"]) {
    const { errors } = await problemOf(await post({ mask }), 422);
    expect(errors).toEqual([{ path: "mask", message: expect.stringMatching(/list of numbers in JSON/) }]);
  }
});

Deno.test("the number of images is limited by the size of the response", async () => {
  await using api = await TestApi.open({ responseBytes: 200_000 });
  const { id } = await api.model(), classifier = await api.model("classifier");
  const post = async (count: number, fields: object, accept = "application/json") =>
    await api.post(
      "/v1/reconstructions",
      { checkpoint: id, dataset: digits(...Array(count).keys()), ...fields },
      { accept },
    );
  const table: [max: number, fields: object, accept?: string][] = [
    [104, {}],
    [6, { include: ["patches"] }],
    [3, { include: ["patches", "pred"] }],
    [11, { include: ["images"] }],
    [3, { columns: ["original", "masked"] }, "image/png"],
    [1, { columns: ["original", "masked", "error"] }, "image/png"],
  ];
  for (const [max, fields, accept] of table) {
    expect((await post(max, fields, accept)).status).toBe(200);
    const { errors } = await problemOf(await post(max + 1, fields, accept), 413);
    const message = new RegExp(`at most ${max} images? .*: it has ${max + 1}$`);
    expect(errors).toEqual([{ path: "dataset.indices", message: expect.stringMatching(message) }]);
  }
  const indices = [...Array(501).keys()];
  const body = { checkpoint: classifier.id, dataset: digits(...indices) };
  const { errors } = await problemOf(await api.post("/v1/classifications", body), 413);
  expect(errors).toMatchObject([{ message: expect.stringMatching(/at most 500 images/) }]);
});

Deno.test("a large response has the same JSON as small ones, and is sent in chunks", async () => {
  await using api = await TestApi.open();
  await using server = await api.listen();
  const { id } = await api.model();
  const post = async (indices: number[]) =>
    await fetch(`http://127.0.0.1:${server.port}/v1/reconstructions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        checkpoint: id,
        dataset: digits(...indices),
        mask: half,
        include: ["patches", "errors"],
      }),
    });
  const indices = [...Array(130).keys()];
  const response = await post(indices);
  expect([...response.headers.keys()]).not.toContain("content-length");
  expect(response.headers.get("content-type")).toBe("application/json");
  const { data, loss, ...rest } = await json<Body & { loss: number }>(response);
  expect(data.map(({ index }) => index)).toEqual(indices);
  expect(loss).toBeCloseTo(data.reduce((sum, image) => sum + image.loss, 0) / 130, 5);
  const small = await post(indices.slice(0, 2));
  expect(small.headers.get("content-length")).not.toBe(null);
  const { data: first, ...others } = await json(small);
  expect({ ...others, loss: 0 }).toEqual({ ...rest, loss: 0 });
  expect(data.slice(0, 2)).toEqual(first);

  const { body } = await post(indices);
  await body!.cancel();
});

const CLASS_TOKEN = { ...TINY, clsToken: true, positions: "sincos_2d" } as const;

Deno.test("the attention of a class token is numbers by head, and a column", async () => {
  await using api = await TestApi.open();
  const { id } = await api.store({ config: CLASS_TOKEN });
  const body = { checkpoint: id, dataset: digits(0, 4), columns: ["original", "attention"] };
  const { data } = await json<
    { data: { attention: { mean: number[]; heads: number[][] }; images: Record<string, string> }[] }
  >(
    await api.post("/v1/reconstructions", { ...body, include: ["attention", "images"] }),
  );
  for (const { attention: { mean, heads }, images } of data) {
    expect([mean.length, ...heads.map(({ length }) => length)]).toEqual([PATCHES, PATCHES, PATCHES]);
    for (const weights of heads) {
      const sum = weights.reduce((a, b) => a + b);
      expect(sum).toBeLessThan(1);
      expect(sum).toBeGreaterThan(0.8);
    }
    mean.forEach((value, patch) => expect(value).toBeCloseTo((heads[0][patch] + heads[1][patch]) / 2, 6));
    const { pixel } = await pixelsOf(Uint8Array.fromBase64(images.attention));
    const largest = Math.max(...mean);
    mean.forEach((value, patch) =>
      expect(pixel(patch % 4 * SIDE, Math.floor(patch / 4) * SIDE)).toEqual(viridis(value / largest))
    );
  }
  expect(data[0].attention).not.toEqual(data[1].attention);
  // The masks do not change it, and neither does another request that waits with it.
  const masked = { ...body, seed: 5, mask_ratio: 0.5, include: ["attention"] };
  const [other] = await Promise.all(
    [masked, { ...masked, include: [] }].map(async (request) =>
      await json<{ data: typeof data }>(
        await api.post("/v1/reconstructions", { ...request, columns: ["original"] }),
      )
    ),
  );
  expect(other.data.map(({ attention }) => attention)).toEqual(data.map(({ attention }) => attention));
});

Deno.test("a model with normalised pixels has a note, and its patches are pixels", async () => {
  await using api = await TestApi.open();
  const config = { ...TINY, normPixLoss: true, normalize: { mean: [0.5], std: [0.25] } };
  const { id } = await api.store({ config });
  const body = {
    checkpoint: id,
    dataset: digits(0),
    seed: 1,
    include: ["patches", "pred", "errors", "images"],
  };
  const { norm_pix_loss, notes, data: [{ patches, pred, errors, mask, loss, images }] } = await json<
    Body & { norm_pix_loss: boolean }
  >(await api.post("/v1/reconstructions", body));
  expect(norm_pix_loss).toBe(true);
  expect(notes).toEqual([
    expect.stringMatching(/norm_pix_loss/),
    expect.stringMatching(/mean 0.5 and deviation 0.25/),
    expect.stringMatching(/pred and loss/),
  ]);
  const original = drawDigit(1, "test", 0).pixels;
  const figure = await pixelsOf(Uint8Array.fromBase64(images.reconstruction));
  let lossSum = 0, masked = 0;
  for (let patch = 0; patch < PATCHES; patch++) {
    const top = Math.floor(patch / 4) * SIDE, left = patch % 4 * SIDE;
    const position = (i: number) => [left + i % SIDE, top + Math.floor(i / SIDE)] as const;
    const pixels = patches[patch].map((_, i) => original[position(i)[1] * SIZE + position(i)[0]] / 255);
    const mean = pixels.reduce((a, b) => a + b) / pixels.length;
    const variance = pixels.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (pixels.length - 1);
    // The channel's normalisation divides by 0.25, and so the deviation of a normalised patch has another eps.
    const deviation = Math.sqrt(variance + 1e-6 * 0.25 ** 2);
    let sum = 0;
    patches[patch].forEach((value, i) => {
      expect(value).toBeCloseTo(pred[patch][i] * deviation + mean, 4);
      sum += (value - pixels[i]) ** 2;
      const [x, y] = position(i), byte = Math.round(255 * Math.min(1, Math.max(0, value)));
      expect(figure.pixel(x, y)[0]).toBe(byte);
      if (mask[patch] === 1) lossSum += (pred[patch][i] - (pixels[i] - mean) / deviation) ** 2;
    });
    masked += mask[patch] * pixels.length;
    expect(errors[patch]).toBeCloseTo(sum / pixels.length, 5);
  }
  expect(loss).toBeCloseTo(lossSum / masked, 3);
});

Deno.test("a checkpoint without a decoder is rejected by name, and has embeddings", async () => {
  await using api = await TestApi.open();
  const encoder = await api.store({ model: "encoder", config: CLASS_TOKEN }),
    classifier = await api.model("classifier");
  const dataset = digits(0);
  for (
    const [checkpoint, pattern] of [[encoder.id, /decoder.*this one is an encoder/], [
      classifier.id,
      /this one is a classifier/,
    ]] as const
  ) {
    const { errors } = await problemOf(await api.post("/v1/reconstructions", { checkpoint, dataset }), 422);
    expect(errors).toEqual([{ path: "checkpoint", message: expect.stringMatching(pattern) }]);
  }
  const embed = async (checkpoint: string, fields: object) =>
    await api.post("/v1/embeddings", { checkpoint, dataset, ...fields });
  const [byDefault, mean, cls] = await Promise.all(
    [{}, { pool: "mean" }, { pool: "cls" }].map(async (fields) =>
      await json<{ pool: string; data: { embedding: number[] }[] }>(await embed(encoder.id, fields))
    ),
  );
  expect([byDefault.pool, mean.pool, cls.pool]).toEqual(["mean", "mean", "cls"]);
  expect(byDefault).toEqual(mean);
  expect(cls.data[0].embedding.length).toBe(16);
  expect(cls.data[0].embedding).not.toEqual(mean.data[0].embedding);
  const { errors } = await problemOf(await embed(classifier.id, { pool: "cls" }), 422);
  expect(errors).toEqual([{ path: "pool", message: expect.stringMatching(/no class token/) }]);
});
