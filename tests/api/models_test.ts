import { expect } from "expect";
import { readBytes } from "../../data/bytes.ts";
import { readHeader, readSafetensors } from "../../data/safetensors/safetensors.ts";
import { pngDigit } from "../setup/uploads.ts";
import { problemOf, TestApi, TINY } from "./fixtures.ts";

const digits = (...indices: number[]) => ({ id: "digits", indices });

Deno.test("the file of a checkpoint is served whole, in ranges, and as 304", async () => {
  await using api = await TestApi.open();
  const { id, jobId, size, sha256 } = await api.model();
  const listed = await (await api.send(`/v1/jobs/${jobId}/checkpoints`)).json();
  expect(listed.data).toMatchObject([{ id, step: 5, final: true, size, sha256, config: { patch_size: 7 } }]);
  expect(JSON.stringify(listed)).not.toContain("object_key");

  const get = (headers: Record<string, string> = {}, method = "GET") =>
    api.send(`/v1/checkpoints/${id}/content`, { method, headers });
  const whole = await get();
  const bytes = new Uint8Array(await whole.arrayBuffer());
  expect(whole.headers.get("content-disposition")).toBe(`attachment; filename="${id}.safetensors"`);
  expect(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex()).toBe(sha256);
  const { tensors, metadata } = readSafetensors(bytes);
  expect(JSON.parse(metadata.config)).toMatchObject({ embed_dim: TINY.embedDim });
  expect(tensors.get("encoder.blocks.0.attn.in_proj_weight")!.shape).toEqual([48, 16]);

  const etag = whole.headers.get("etag")!;
  expect((await get({ "if-none-match": etag })).status).toBe(304);
  const part = await get({ range: "bytes=100-199", "if-range": etag });
  expect(part.status).toBe(206);
  expect(part.headers.get("content-range")).toBe(`bytes 100-199/${size}`);
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(bytes.subarray(100, 200));
  expect((await get({ range: "bytes=100-199", "if-range": '"other"' })).status).toBe(200);
  const past = await get({ range: `bytes=${size}-` });
  expect([past.status, past.headers.get("content-range")]).toEqual([416, `bytes */${size}`]);
  const head = await get({}, "HEAD");
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
    200,
    String(size),
    "",
  ]);
});

Deno.test("a reconstruction is a PNG or JSON, and the same for the same seed", async () => {
  await using api = await TestApi.open();
  const { id, jobId } = await api.model();
  const reconstruct = (fields: object = {}, accept = "application/json") =>
    api.post("/v1/reconstructions", { checkpoint: id, dataset: digits(0, 5), ...fields }, { accept });

  const image = await reconstruct({}, "image/png");
  expect(image.headers.get("content-type")).toBe("image/png");
  expect(new Uint8Array(await image.arrayBuffer()).subarray(1, 4)).toEqual(new TextEncoder().encode("PNG"));

  const first = await (await reconstruct({ seed: 1 })).json();
  expect(first).toMatchObject({ object: "reconstruction", checkpoint: id, mask_ratio: 0.75, seed: 1 });
  expect(first.data.map(({ mask }: { mask: number[] }) => mask.reduce((a, b) => a + b))).toEqual([12, 12]);
  expect(first.data[0].patches).toBeUndefined();
  expect(await (await reconstruct({ seed: 1 })).json()).toEqual(first);
  expect((await (await reconstruct({ seed: 2 })).json()).data[0].mask).not.toEqual(first.data[0].mask);
  const byJob = await (await reconstruct({ checkpoint: undefined, job: jobId, seed: 1 })).json();
  expect(byJob).toEqual(first);

  const full = await (await reconstruct({ include: ["images", "patches"], mask_ratio: 0.5 })).json();
  expect(full.data[0].patches.length).toBe(16);
  expect(full.data[0].patches[0].length).toBe(49);
  expect(full.data[0].mask.filter((bit: number) => bit === 1).length).toBe(8);
  expect(atob(full.data[0].images.reconstruction).slice(1, 4)).toBe("PNG");
});

Deno.test("images as files and in base64 give the same response", async () => {
  await using api = await TestApi.open();
  const { id } = await api.model("classifier");
  const pictures = [await pngDigit(1), await pngDigit(2)];
  const form = new FormData();
  form.set("checkpoint", id);
  pictures.forEach((bytes, i) => form.append("pictures", new File([bytes], `${i}.png`)));
  const asFiles = await (await api.send("/v1/classifications", { method: "POST", body: form })).json();
  const asText = await (await api.post("/v1/classifications", {
    checkpoint: id,
    pictures: [pictures[0].toBase64(), `data:image/png;base64,${pictures[1].toBase64()}`],
  })).json();
  expect(asText).toEqual(asFiles);
  expect(asFiles.data.length).toBe(2);
  for (const { probabilities, label, class_name, probability } of asFiles.data) {
    expect(probabilities.reduce((a: number, b: number) => a + b)).toBeCloseTo(1, 5);
    expect(probability).toBe(Math.max(...probabilities));
    expect(class_name).toBe(asFiles.class_names[label]);
  }
});

Deno.test("embeddings have the encoder's width, from either model, and differ between images", async () => {
  await using api = await TestApi.open();
  for (const model of ["mae", "classifier"] as const) {
    const { id } = await api.model(model);
    const response = await (await api.post("/v1/embeddings", { checkpoint: id, dataset: digits(0, 1, 0) }))
      .json();
    expect(response).toMatchObject({ object: "list", checkpoint: id, dimensions: 16 });
    const [a, b, repeated] = response.data.map(({ embedding }: { embedding: number[] }) => embedding);
    expect(a.length).toBe(16);
    expect(repeated).toEqual(a);
    expect(b).not.toEqual(a);
  }
});

Deno.test("a checkpoint with a damaged file is rejected", async () => {
  await using api = await TestApi.open();
  const { id, objectKey, size } = await api.model();
  const intact = await readBytes((await api.objects.get(objectKey)).body);
  const changed = intact.slice();
  changed[readHeader(intact).tensors.get("decoder.mask_token")!.begin] ^= 1;
  for (const [bytes, message] of [[new Uint8Array(size), "header"], [changed, "SHA-256"]] as const) {
    await api.objects.put(objectKey, bytes);
    const response = await api.post("/v1/reconstructions", { checkpoint: id, dataset: digits(0) });
    const { errors: [{ path, message: detail }] } = await problemOf(response, 409);
    expect(path).toBe("checkpoint");
    expect(detail).toContain(`Cannot read checkpoint ${id}`);
    expect(detail).toContain(message);
  }
});
