import { expect } from "expect";
import sharp from "sharp";
import { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { decodeImage } from "../../data/images/decodeImage.ts";
import { encodePng } from "../../data/images/encodePng.ts";
import { pngData, pngFile } from "../setup/png.ts";
import { idx, tarGz } from "../setup/uploads.ts";
import { problemOf, TestApi } from "./fixtures.ts";
import { TestRunner } from "./runner.ts";

const SHAPE = { imageSize: 28, channels: 1 } as const;

/** 56 wide, 28 high: 14 columns of 40, then 28 of 120, then 14 of 200. */
const pixels = Uint8Array.from({ length: 56 * 28 }, (_, i) => i % 56 < 14 ? 40 : i % 56 < 42 ? 120 : 200);
const wide = await encodePng(pixels, 56, 28, 1);
/** Black ink on transparency, 28 x 28: the left half is ink. */
const ink = pngFile(
  { width: 28, height: 28, type: 4 },
  pngData(
    Array.from({ length: 28 }, () => Array.from({ length: 28 }, (_, x) => [0, x < 14 ? 255 : 0]).flat()),
  ),
);

interface ResponseBody {
  readonly resize: string;
  readonly background: string;
  readonly notes: readonly string[];
  readonly data: readonly { readonly images: { readonly original: string } }[];
}

async function successOf(response: Response): Promise<ResponseBody> {
  const text = await response.text();
  expect({ status: response.status, text: text.slice(0, 500) }).toMatchObject({ status: 200 });
  return JSON.parse(text);
}

/** The image that the model received. */
async function original(response: ResponseBody, index = 0): Promise<Uint8Array> {
  return await decodeImage(Uint8Array.fromBase64(response.data[index].images.original), SHAPE);
}

const corners = (image: Uint8Array) => [image[0], image[27], image[28 * 14], image[28 * 14 + 27]];

Deno.test("resize and background apply to images in JSON and in forms, and the response reports them", async (t) => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model();
  const table: [Record<string, string>, number[], RegExp][] = [
    [{}, [120, 120, 120, 120], /^pictures.0 is 56 x 28: only the middle square is kept \(resize=crop\)/],
    [{ resize: "crop" }, [120, 120, 120, 120], /resize=crop/],
    [{ resize: "squash" }, [40, 200, 40, 200], /resize=squash/],
    [{ resize: "pad" }, [0, 0, 40, 200], /resize=pad/],
    [{ resize: "pad", background: "white" }, [255, 255, 40, 200], /resize=pad/],
    [{ resize: "pad", background: "#0A0a0A" }, [10, 10, 40, 200], /resize=pad/],
  ];
  for (const [fields, expected, pattern] of table) {
    await t.step(JSON.stringify(fields), async () => {
      const form = new FormData();
      for (const [name, value] of Object.entries({ checkpoint, include: "images", ...fields })) {
        form.set(name, value);
      }
      form.append("pictures", new File([wide], "wide.png"));
      const asForm = await successOf(await api.send("/v1/reconstructions", { method: "POST", body: form }));
      const asJson = await successOf(
        await api.post("/v1/reconstructions", {
          checkpoint,
          include: ["images"],
          pictures: [wide.toBase64()],
          ...fields,
        }),
      );
      expect(asJson).toEqual(asForm);
      expect(corners(await original(asJson))).toEqual(expected);
      expect([asJson.resize, asJson.background]).toEqual([
        fields.resize ?? "crop",
        fields.background ?? "none",
      ]);
      expect(asJson.notes).toEqual([expect.stringMatching(pattern)]);
    });
  }
});

Deno.test("black ink on transparency is visible with a background, and reported without one", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model();
  const reconstruct = async (fields: object) =>
    await successOf(
      await api.post("/v1/reconstructions", {
        checkpoint,
        include: ["images"],
        pictures: [ink.toBase64()],
        ...fields,
      }),
    );
  const dropped = await reconstruct({});
  expect(corners(await original(dropped))).toEqual([0, 0, 0, 0]);
  expect(dropped.notes).toEqual([expect.stringMatching(/pictures.0 has transparency: .*background=white/)]);
  expect(corners(await original(await reconstruct({ background: "white" })))).toEqual([0, 255, 0, 255]);
});

Deno.test("classifications and embeddings accept resize and background too", async () => {
  await using api = await TestApi.open();
  const mae = await api.model();
  const classifier = await api.model("classifier");
  for (const [path, checkpoint] of [["embeddings", mae.id], ["classifications", classifier.id]]) {
    const results = [];
    for (const resize of ["crop", "squash", "pad"]) {
      const response = await successOf(
        await api.post(`/v1/${path}`, {
          checkpoint,
          pictures: [wide.toBase64()],
          resize,
          background: "white",
        }),
      );
      expect(response).toMatchObject({
        resize,
        background: "white",
        notes: [expect.stringContaining("56 x 28")],
      });
      results.push(JSON.stringify(response.data));
    }
    expect(new Set(results).size).toBe(3);
  }
});

Deno.test("an unknown resize or background is rejected by field", async () => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model();
  const wrong: [string, string][] = [
    ["resize", "contain"],
    ["resize", ""],
    ["background", "blue"],
    ["background", "#fff"],
    ["background", "#gggggg"],
    ["background", "transparent"],
  ];
  for (const [field, value] of wrong) {
    const body = { checkpoint, pictures: [wide.toBase64()], [field]: value };
    for (const path of ["reconstructions", "classifications", "embeddings"]) {
      const { errors } = await problemOf(await api.post(`/v1/${path}`, body), 422);
      expect(errors.map(({ path }) => path)).toEqual([field]);
    }
    const file = idx(0x803, [1, 2, 2], new Uint8Array(4));
    const { errors } = await problemOf(await api.upload({ train_images: file }, { [field]: value }), 422);
    expect(errors).toEqual([{ path: field, message: expect.stringMatching(/must be/) }]);
  }
});

Deno.test("a data set's resize and background apply to every use, unless a request overrides them", async (t) => {
  await using api = await TestApi.open();
  const { id: checkpoint } = await api.model();
  const files = { archive: await tarGz({ "a/wide.png": wide, "b/ink.png": ink }) };
  const raw = { train_images: idx(0x803, [1, 28, 56], pixels) };
  const uploads: [string, Record<string, Uint8Array<ArrayBuffer>>, RegExp[]][] = [
    ["archive", files, [
      /^1 of 2 images are not square: .*resize=pad/,
      /^1 of 2 images have transparency: .*white/,
    ]],
    ["IDX", raw, [/^The images are not square \(56 x 28\): .*resize=pad/]],
  ];
  for (const [kind, parts, pattern] of uploads) {
    await t.step(kind, async () => {
      const fields = { resize: "pad", background: "white", held_out: "0" };
      const response = await api.upload(parts, fields);
      const dataset = await response.json();
      expect([response.status, dataset.resize, dataset.background]).toEqual([201, "pad", "white"]);
      expect(dataset.notes).toEqual(pattern.map((pattern) => expect.stringMatching(pattern)));
      expect(await (await api.send(`/v1/datasets/${dataset.id}`)).json()).toEqual(dataset);
      const reconstruct = async (fields: object) =>
        await successOf(
          await api.post("/v1/reconstructions", {
            checkpoint,
            include: ["images"],
            dataset: { id: dataset.id, split: "train", indices: [0] },
            ...fields,
          }),
        );
      const inherited = await reconstruct({});
      expect([inherited.resize, inherited.background]).toEqual(["pad", "white"]);
      expect(corners(await original(inherited))).toEqual([255, 255, 40, 200]);
      const overridden = await reconstruct({ resize: "squash" });
      expect([overridden.resize, overridden.background]).toEqual(["squash", "white"]);
      expect(corners(await original(overridden))).toEqual([40, 200, 40, 200]);
      const loaded = await (await new DatasetCatalogue(api.objects).open({ id: dataset.id })).load(
        "train",
        SHAPE,
      );
      expect(corners(loaded.pixels.subarray(0, 784))).toEqual([255, 255, 40, 200]);
    });
  }
  await t.step("defaults", async () => {
    const dataset = await (await api.upload(files, { held_out: "0" })).json();
    expect([dataset.resize, dataset.background]).toEqual(["crop", "none"]);
    const loaded = await (await new DatasetCatalogue(api.objects).open({ id: dataset.id })).load(
      "train",
      SHAPE,
    );
    expect(corners(loaded.pixels.subarray(0, 784))).toEqual([120, 120, 120, 120]);
  });
});

Deno.test("images in a request are resized like the model's training images", async () => {
  await using api = await TestApi.open();
  await using runner = new TestRunner(api);
  const archive = await tarGz({ "a.png": wide, "b.png": ink });
  const { id } = await (await api.upload({ archive }, { resize: "pad", background: "white", held_out: "0" }))
    .json();
  const model = { preset: "mnist", depth: 1, decoder_depth: 1 };
  const job = await runner.run({ kind: "pretrain", dataset: id, batch_size: 2, max_steps: 1, model });
  expect(job.status).toBe("succeeded");
  const checkpoint = job.latest_checkpoint!;
  expect(await (await api.send(`/v1/checkpoints/${checkpoint}`)).json())
    .toMatchObject({ resize: "pad", background: "white" });
  const reconstruct = async (fields: object) =>
    await successOf(
      await api.post("/v1/reconstructions", {
        checkpoint,
        include: ["images"],
        pictures: [wide.toBase64()],
        ...fields,
      }),
    );
  const inherited = await reconstruct({});
  expect([inherited.resize, inherited.background]).toEqual(["pad", "white"]);
  expect(corners(await original(inherited))).toEqual([255, 255, 40, 200]);
  const overridden = await reconstruct({ resize: "squash", background: "none" });
  expect([overridden.resize, overridden.background]).toEqual(["squash", "none"]);
});

Deno.test("a JPEG with stray bytes before a marker is accepted by uploads, jobs and inference requests", async () => {
  await using api = await TestApi.open();
  await using runner = new TestRunner(api);
  const image = sharp(pixels, { raw: { width: 56, height: 28, channels: 1 } });
  const jpeg = new Uint8Array(await image.jpeg({ quality: 90 }).toBuffer());
  const table = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc4);
  const stray = Uint8Array.from([...jpeg.subarray(0, table), 0, 1, 2, ...jpeg.subarray(table)]);
  const response = await api.upload({ archive: await tarGz({ "a.jpg": stray, "b.jpg": jpeg }) }, {
    held_out: "0",
  });
  expect(response.status).toBe(201);
  const { id: dataset } = await response.json();
  const model = { preset: "mnist", depth: 1, decoder_depth: 1 };
  const job = await runner.run({ kind: "pretrain", dataset, batch_size: 2, max_steps: 1, model });
  expect([job.status, job.error]).toEqual(["succeeded", null]);
  const request = {
    checkpoint: job.latest_checkpoint,
    include: ["images"],
    pictures: [stray.toBase64(), jpeg.toBase64()],
  };
  const body = await successOf(await api.post("/v1/reconstructions", request));
  expect(await original(body, 0)).toEqual(await original(body, 1));
  // Uploads and inference requests reject a truncated JPEG.
  const cut = stray.slice(0, -200);
  const rejected = await problemOf(
    await api.upload({ archive: await tarGz({ "a.jpg": cut, "b.jpg": jpeg }) }),
    422,
  );
  expect(rejected.errors).toEqual([{
    path: "archive",
    message: expect.stringMatching(/'a.jpg'.*cannot be decoded/),
  }]);
  const inference = await problemOf(
    await api.post("/v1/reconstructions", { ...request, pictures: [cut.toBase64()] }),
    422,
  );
  expect(inference.errors).toEqual([{
    path: "pictures.0",
    message: expect.stringContaining("cannot be decoded"),
  }]);
});
