import { expect } from "expect";
import sharp from "sharp";
import { drawDigit } from "../../data/datasets/builtIn/drawDigit.ts";
import { encodePng } from "../../data/images/encodePng.ts";
import { pngDigit } from "../setup/uploads.ts";
import { problemOf, TestApi, TINY } from "./fixtures.ts";

const PATCHES = 16, SIDE = 7, SIZE = 28;

interface ReconstructedImage {
  readonly index: number;
  readonly loss: number;
  readonly mask: number[];
  readonly ids_restore: number[];
  readonly images: Readonly<Record<string, string>>;
  readonly patches: number[][];
}

interface ResponseBody {
  readonly loss: number;
  readonly data: ReconstructedImage[];
}

/** Images of `digits`, with the seed of the files of these tests. */
const digits = (...indices: number[]) => ({ id: "digits", seed: 1, indices });
const digit = (index: number) => drawDigit(1, "test", index).pixels;

async function json<T>(response: Response): Promise<T> {
  const text = await response.text();
  expect({ status: response.status, text: text.slice(0, 500) }).toMatchObject({ status: 200 });
  expect(response.headers.get("content-type")).toBe("application/json");
  return JSON.parse(text);
}

/** Decodes a PNG to grey values. */
async function grey(
  bytes: Uint8Array,
): Promise<{ width: number; height: number; pixel: (x: number, y: number) => number }> {
  const { data, info } = await sharp(bytes).toColourspace("b-w").raw().toBuffer({ resolveWithObject: true });
  return { ...info, pixel: (x, y) => data[(y * info.width + x) * info.channels] };
}

function form(fields: Record<string, string>, pictures: readonly Uint8Array<ArrayBuffer>[]): FormData {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.set(name, value);
  pictures.forEach((bytes, i) => body.append("pictures", new File([bytes], `${i}.png`)));
  return body;
}

/** Returns the patch of a pixel, and the offset of the pixel in it. */
function patchOffset(x: number, y: number): { patch: number; offset: number } {
  const patch = Math.floor(y / SIDE) * (SIZE / SIDE) + Math.floor(x / SIDE);
  return { patch, offset: (y % SIDE) * SIDE + x % SIDE };
}

Deno.test("the masks, losses, patches and images of a reconstruction are consistent", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const reconstruct = async (fields: object) =>
    await json<ResponseBody>(
      await api.post("/v1/reconstructions", {
        checkpoint: id,
        dataset: digits(0, 7),
        mask_ratio: 0.5,
        seed: 9,
        include: ["patches", "images"],
        ...fields,
      }),
    );
  const plain = await reconstruct({}), pasted = await reconstruct({ paste_visible: true });
  expect(plain.loss).toBeCloseTo((plain.data[0].loss + plain.data[1].loss) / 2, 6);
  for (const [index, datasetIndex] of [0, 7].entries()) {
    const { mask, ids_restore, patches, loss, images } = plain.data[index];
    expect(plain.data[index].index).toBe(index);
    expect([...ids_restore].sort((a, b) => a - b)).toEqual(Array.from({ length: PATCHES }, (_, i) => i));
    expect(mask).toEqual(ids_restore.map((rank) => rank < PATCHES / 2 ? 0 : 1));

    const original = digit(datasetIndex);
    const [first, masked, full, kept] = await Promise.all(
      [images.original, images.masked, images.reconstruction, pasted.data[index].images.reconstruction]
        .map((text) => grey(Uint8Array.fromBase64(text))),
    );
    let sum = 0;
    for (let y = 0; y < SIZE; y++) {
      for (let x = 0; x < SIZE; x++) {
        const { patch, offset } = patchOffset(x, y);
        const value = original[y * SIZE + x], predicted = patches[patch][offset];
        const bytes = Math.round(255 * Math.min(1, Math.max(0, predicted)));
        const isMasked = mask[patch] === 1;
        if (isMasked) sum += (predicted - value / 255) ** 2;
        expect([first.pixel(x, y), masked.pixel(x, y), full.pixel(x, y), kept.pixel(x, y)]).toEqual([
          value,
          isMasked ? 128 : value,
          bytes,
          isMasked ? bytes : value,
        ]);
      }
    }
    expect(loss).toBeCloseTo(sum / (PATCHES / 2 * SIDE * SIDE), 5);
  }
});

Deno.test("the figure shows the original, masked and reconstructed pixels of the JSON response", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const body = { checkpoint: id, dataset: digits(3, 4), seed: 2 };
  const response = await api.post("/v1/reconstructions", body, { accept: "image/png" });
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/png"]);
  expect(response.headers.get("vary")).toBe("Accept");
  const figure = await grey(await response.bytes());
  // 28 pixels enlarged by 6, with gaps of 8: four columns and two rows.
  expect([figure.width, figure.height]).toEqual([4 * 176 + 8, 2 * 176 + 8]);
  const { data } = await json<ResponseBody>(
    await api.post("/v1/reconstructions", { ...body, include: ["patches"] }),
  );
  for (const [row, index] of [3, 4].entries()) {
    const original = digit(index);
    for (let y = 0; y < SIZE; y += 3) {
      for (let x = 0; x < SIZE; x += 3) {
        const pixel = (column: number) =>
          figure.pixel(8 + 176 * column + 6 * x + 3, 8 + 176 * row + 6 * y + 3);
        const { patch, offset } = patchOffset(x, y);
        const value = original[y * SIZE + x];
        const isMasked = data[row].mask[patch] === 1;
        const predicted = Math.round(255 * Math.min(1, Math.max(0, data[row].patches[patch][offset])));
        expect([pixel(0), pixel(1), pixel(2), pixel(3)]).toEqual([
          value,
          isMasked ? 128 : value,
          predicted,
          isMasked ? predicted : value,
        ]);
      }
    }
  }
});

Deno.test("a form and JSON, a file and base64, an image and its data set index give the same response", async () => {
  await using api = await TestApi.open();
  const { id, jobId } = await api.model();
  const pictures = [await pngDigit(0), await pngDigit(5)];
  const fields = {
    checkpoint: id,
    seed: "4",
    mask_ratio: "0.5",
    paste_visible: "true",
    include: "images, patches",
  };
  const body = form(fields, pictures);
  const fromForm = await json(await api.send("/v1/reconstructions", { method: "POST", body }));
  const shared = { seed: 4, mask_ratio: 0.5, paste_visible: true, include: ["images", "patches"] };
  const others = [
    { checkpoint: id, pictures: pictures.map((bytes) => bytes.toBase64()) },
    { job: jobId, pictures: pictures.map((bytes) => `data:image/png;base64,${bytes.toBase64()}`) },
    { checkpoint: id, dataset: digits(0, 5) },
  ];
  for (const other of others) {
    expect(await json(await api.post("/v1/reconstructions", { ...other, ...shared }))).toEqual(fromForm);
  }
  expect((await api.traces()).filter((trace) => trace.startsWith("upload"))).toEqual([]);
  const embedded = await json(
    await api.send("/v1/embeddings", { method: "POST", body: form({ job: jobId }, pictures) }),
  );
  expect(embedded).toEqual(
    await json(await api.post("/v1/embeddings", { checkpoint: id, dataset: digits(0, 5) })),
  );
});

Deno.test("the result of an image does not depend on the other images of the request", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model("classifier");
  const predict = async (path: string, ...indices: number[]) =>
    (await json<{ data: { index: number; probabilities?: number[]; embedding?: number[] }[] }>(
      await api.post(path, { checkpoint: id, dataset: digits(...indices) }),
    )).data;
  for (const path of ["/v1/classifications", "/v1/embeddings"]) {
    const together = await predict(path, 8, 1, 8);
    const values = together.map((row) => row.probabilities ?? row.embedding!);
    expect(together.map((row) => row.index)).toEqual([0, 1, 2]);
    expect(values[2]).toEqual(values[0]);
    const [alone] = await predict(path, 1);
    (alone.probabilities ?? alone.embedding!).forEach((value, i) =>
      expect(values[1][i]).toBeCloseTo(value, 5)
    );
  }
});

Deno.test("images of another size, in colour or with transparency are converted to the model's input", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model();
  const rectangle = (channels: 1 | 3) =>
    encodePng(new Uint8Array(60 * 40 * channels).fill(77), 60, 40, channels);
  const translucent = new Uint8Array(
    await sharp({
      create: { width: 30, height: 30, channels: 4, background: { r: 77, g: 77, b: 77, alpha: 0.5 } },
    })
      .png().toBuffer(),
  );
  const pictures = [await rectangle(1), await rectangle(3), translucent].map((bytes) => bytes.toBase64());
  const { data } = await json<ResponseBody>(
    await api.post("/v1/reconstructions", { checkpoint: id, pictures, include: ["images"] }),
  );
  for (const { images } of data) {
    const image = await grey(Uint8Array.fromBase64(images.original));
    expect([image.width, image.height, image.pixel(0, 0), image.pixel(27, 27)]).toEqual([28, 28, 77, 77]);
  }
});

Deno.test("a model that does not exist, has no checkpoint or has the wrong type is rejected by its field", async () => {
  await using api = await TestApi.open();
  const mae = await api.model(), classifier = await api.model("classifier");
  const queued = await api.job();
  const dataset = digits(0);
  const none = "0".repeat(26);
  const table: [path: string, body: object, status: number, field: string, pattern: RegExp][] = [
    ["reconstructions", { checkpoint: classifier.id }, 422, "checkpoint", /masked autoencoder/],
    ["reconstructions", { job: classifier.jobId }, 422, "job", /masked autoencoder/],
    ["classifications", { checkpoint: mae.id }, 422, "checkpoint", /classifier/],
    ["classifications", { job: mae.jobId }, 422, "job", /classifier/],
    ["embeddings", { checkpoint: `ckpt_${none}` }, 422, "checkpoint", /no checkpoint/],
    ["embeddings", { job: `job_${none}` }, 422, "job", /no job/],
    ["embeddings", { job: queued }, 409, "job", /queued and has no checkpoint/],
  ];
  for (const [path, body, status, field, pattern] of table) {
    const problem = await problemOf(await api.post(`/v1/${path}`, { ...body, dataset }), status);
    expect(problem.errors).toEqual([{ path: field, message: expect.stringMatching(pattern) }]);
  }
});

Deno.test("a model that was just used is not found once its job is deleted", async () => {
  await using api = await TestApi.open();
  const { id, jobId } = await api.model();
  const reconstruct = () => api.post("/v1/reconstructions", { checkpoint: id, dataset: digits(0) });
  await json(await reconstruct());
  expect((await api.send(`/v1/jobs/${jobId}`, { method: "DELETE" })).status).toBe(204);
  const { errors } = await problemOf(await reconstruct(), 422);
  expect(errors).toEqual([{ path: "checkpoint", message: expect.stringMatching(/no checkpoint/) }]);
});

Deno.test("too many images give 413, and a model that takes too long gives 504", async () => {
  await using api = await TestApi.open({ imageValues: 2 * SIZE * SIZE });
  const { id } = await api.model();
  const embed = (indices: number[]) =>
    api.post("/v1/embeddings", { checkpoint: id, dataset: digits(...indices) });
  expect((await json<{ dimensions: number }>(await embed([0, 1]))).dimensions).toBe(TINY.embedDim);
  const problem = await problemOf(await embed([0, 1, 2]), 413);
  expect(problem.errors).toMatchObject([{
    path: "dataset.indices",
    message: expect.stringMatching(/at most 2/),
  }]);

  await using timed = await TestApi.open({ inferenceMs: 0 });
  const other = await timed.model();
  await problemOf(await timed.post("/v1/embeddings", { checkpoint: other.id, dataset: digits(0) }), 504);
});
