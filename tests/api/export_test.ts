import { expect } from "expect";
import type { Bytes } from "../../data/bytes.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import type { MaeConfig } from "../../model/config.ts";
import { unzip } from "../setup/unzip.ts";
import { tinyUpload } from "./importFiles.ts";
import { problemOf, TestApi, type TestModel, TINY } from "./fixtures.ts";

/** A model that Hugging Face and Meta can express. */
const PUBLISHED: MaeConfig = {
  ...TINY,
  inChannels: 3,
  clsToken: true,
  positions: "sincos_2d",
  layerNormEps: 1e-6,
};
const names = ["cat", "dog", "bird"];

/** Downloads an export. */
async function download(
  api: TestApi,
  id: string,
  query: string,
): Promise<{ bytes: Bytes; headers: Headers }> {
  const response = await api.send(`/v1/checkpoints/${id}/content?${query}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect({ query, status: response.status, length: response.headers.get("content-length") }).toEqual({
    query,
    status: 200,
    length: String(bytes.length),
  });
  return { bytes, headers: response.headers };
}

Deno.test("format and dtype choose the file, its name and its media type", async (t) => {
  await using api = await TestApi.open();
  const mae = await api.store({ config: PUBLISHED });
  const encoder = await api.store({ config: PUBLISHED, model: "encoder" });
  const stored = await api.object(mae.objectKey);
  const zip = "application/zip", file = "application/octet-stream";
  const table: [query: string, id: string, type: string, name: string, files: string[]][] = [
    ["format=unmask", mae.id, file, `${mae.id}.safetensors`, []],
    ["dtype=f32", mae.id, file, `${mae.id}.safetensors`, []],
    ["dtype=f16", mae.id, file, `${mae.id}-unmask-f16.safetensors`, []],
    [
      "format=huggingface",
      mae.id,
      zip,
      `${mae.id}-huggingface.zip`,
      ["config.json", "preprocessor_config.json", "model.safetensors"],
    ],
    [
      "format=huggingface&dtype=bf16",
      mae.id,
      zip,
      `${mae.id}-huggingface-bf16.zip`,
      ["config.json", "preprocessor_config.json", "model.safetensors"],
    ],
    ["format=meta", mae.id, zip, `${mae.id}-meta.zip`, ["config.json", "model.safetensors"]],
    ["format=timm", mae.id, zip, `${mae.id}-timm.zip`, ["config.json", "model.safetensors"]],
    ["format=timm", encoder.id, zip, `${encoder.id}-timm.zip`, ["config.json", "model.safetensors"]],
  ];
  const etags = new Set<string>();
  for (const [query, id, type, name, files] of table) {
    await t.step(query, async () => {
      const { bytes, headers } = await download(api, id, query);
      expect(Object.fromEntries(headers)).toMatchObject({
        "content-type": type,
        "content-disposition": `attachment; filename="${name}"`,
        "accept-ranges": name.includes("-") ? "none" : "bytes",
      });
      if (type === zip) expect(Object.keys(await unzip(bytes))).toEqual(files);
      else if (!name.includes("-")) expect(bytes).toEqual(stored);
      etags.add(headers.get("etag")!);
      const again = await download(api, id, query);
      expect(again.bytes).toEqual(bytes);
      expect(again.headers.get("etag")).toBe(headers.get("etag"));
      const head = await api.send(`/v1/checkpoints/${id}/content?${query}`, { method: "HEAD" });
      expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
        200,
        String(bytes.length),
        "",
      ]);
      const unchanged = await api.send(`/v1/checkpoints/${id}/content?${query}`, {
        headers: { "if-none-match": headers.get("etag")! },
      });
      expect([unchanged.status, await unchanged.text()]).toEqual([304, ""]);
    });
  }
  expect(etags.size).toBe(table.length - 1);
});

Deno.test("an export in 16 bits has the names, shapes and metadata of the stored file, and rounded values", async () => {
  await using api = await TestApi.open();
  const { id, objectKey } = await api.model("classifier");
  const stored = readSafetensors(await api.object(objectKey));
  for (const [dtype, error] of [["f16", 2 ** -11], ["bf16", 2 ** -8]] as const) {
    const { bytes } = await download(api, id, `dtype=${dtype}`);
    const { tensors, metadata } = readSafetensors(bytes);
    expect(metadata).toEqual(stored.metadata);
    expect([...tensors.keys()].sort()).toEqual([...stored.tensors.keys()].sort());
    for (const [name, tensor] of tensors) {
      const original = stored.tensors.get(name)!;
      expect([tensor.dtype, tensor.shape]).toEqual([dtype.toUpperCase(), original.shape]);
      const values = Array.from(tensor.data as Uint16Array, dtype === "f16" ? halfOf : bfloatOf);
      const worst = Math.max(...values.map((value, i) => {
        const exact = Number(original.data[i]);
        return Math.abs(value - exact) - Math.abs(exact) * error;
      }));
      expect({ name, worst: worst <= 2 ** -25 }).toEqual({ name, worst: true });
    }
  }
});

const halfOf = (bits: number) => new Float16Array(Uint16Array.of(bits).buffer)[0];
const bfloatOf = (bits: number) => new Float32Array(Uint32Array.of(bits << 16).buffer)[0];

/** Replaces a value of a tensor. */
const withValue = (name: string, value: number): TestModel["alter"] => (bytes) => {
  const { tensors, metadata } = readSafetensors(bytes);
  const { shape, data } = tensors.get(name)! as Tensor & { dtype: "F32" };
  tensors.set(name, { dtype: "F32", shape, data: Float32Array.from(data).fill(value, 3, 4) });
  return writeSafetensors(tensors, metadata);
};

Deno.test("a model that the format cannot express, and a value that the type cannot, are refused by field", async (t) => {
  await using api = await TestApi.open();
  const tutorial = await api.model();
  const mean = await api.store({ config: PUBLISHED, model: "classifier", names });
  const mae = await api.store({ config: PUBLISHED });
  const large = await api.store({ alter: withValue("decoder.decoder_norm.weight", 70_000) });
  const table: [title: string, id: string, query: string, field: string, message: RegExp][] = [
    ["no class token", tutorial.id, "format=huggingface", "format", /class token.*format unmask/],
    ["no class token", tutorial.id, "format=meta", "format", /class token.*format unmask/],
    [
      "another eps in timm",
      tutorial.id,
      "format=timm",
      "format",
      /layer_norm_eps 0.00001.*format meta or unmask/,
    ],
    ["a mean in ViT", mean.id, "format=huggingface", "format", /mean of the patch tokens.*format timm/],
    ["a value", large.id, "dtype=f16", "dtype", /'decoder\.decoder_norm\.weight'.*70000.*use bf16 or f32/],
    ["an unknown format", mae.id, "format=onnx", "format", /must be one of "unmask", "huggingface".*"onnx"/],
    ["an unknown type", mae.id, "dtype=f8", "dtype", /must be one of "f32", "f16", "bf16".*"f8"/],
    ["a repeated format", mae.id, "format=meta&format=timm", "format", /more than once/],
    ["an unknown parameter", mae.id, "precision=f16", "precision", /is not a field/],
  ];
  for (const [title, id, query, field, message] of table) {
    await t.step(`${title}: ${query}`, async () => {
      const problem = await problemOf(await api.send(`/v1/checkpoints/${id}/content?${query}`), 422);
      expect(problem.errors.map(({ path }) => path)).toEqual([field]);
      expect(problem.detail).toMatch(message);
      const head = await api.send(`/v1/checkpoints/${id}/content?${query}`, { method: "HEAD" });
      expect([head.status, await head.text()]).toEqual([422, ""]);
    });
  }
  await t.step("the value that is too large for f16 fits into bf16", async () => {
    await download(api, large.id, "dtype=bf16");
  });
});

Deno.test("a zip is not sent to a client that accepts safetensors only, and the reverse", async () => {
  await using api = await TestApi.open();
  const { id } = await api.store({ config: PUBLISHED });
  const send = (query: string, accept: string) =>
    api.send(`/v1/checkpoints/${id}/content?${query}`, { headers: { accept } });
  await problemOf(await send("format=meta", "application/octet-stream"), 406);
  await problemOf(await send("", "application/zip"), 406);
  for (const [query, accept] of [["format=meta", "application/zip"], ["", "application/octet-stream"]]) {
    const response = await send(query, accept);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, accept]);
    await response.body?.cancel();
  }
});

Deno.test("an export of a damaged or missing file is a problem", async (t) => {
  await using api = await TestApi.open();
  const damages: Record<string, [status: number, damage: (key: string) => Promise<unknown>]> = {
    "missing": [404, (key) => api.objects.delete(key)],
    "truncated": [409, async (key) => await api.objects.put(key, (await api.object(key)).slice(0, -4))],
    "without a header": [
      409,
      async (key) => await api.objects.put(key, new Uint8Array((await api.object(key)).length)),
    ],
  };
  for (const [title, [status, damage]] of Object.entries(damages)) {
    for (const query of ["format=huggingface", "dtype=f16", "format=meta&dtype=bf16"]) {
      await t.step(`${title}: ${query}`, async () => {
        const { id, objectKey } = await api.store({ config: PUBLISHED });
        await damage(objectKey);
        const problem = await problemOf(await api.send(`/v1/checkpoints/${id}/content?${query}`), status);
        expect(problem.detail).not.toContain(objectKey);
      });
    }
  }
});

Deno.test("an export whose file has other values than recorded never ends as a whole file", async (t) => {
  await using api = await TestApi.open();
  await using server = await api.listen();
  const flip = async (key: string) => {
    const bytes = await api.object(key);
    bytes[bytes.length - 3] ^= 1;
    await api.objects.put(key, bytes);
  };
  for (const format of ["huggingface", "meta"]) {
    await t.step(format, async () => {
      const { id, objectKey } = await api.store({ config: PUBLISHED });
      await flip(objectKey);
      const read = async () => {
        const url = `http://127.0.0.1:${server.port}/v1/checkpoints/${id}/content?format=${format}`;
        return await (await fetch(url)).bytes();
      };
      await expect(read()).rejects.toThrow();
    });
  }
  await t.step("in 16 bits it is a problem before the file begins", async () => {
    const { id, objectKey } = await api.store({ config: PUBLISHED });
    await flip(objectKey);
    const problem = await problemOf(await api.send(`/v1/checkpoints/${id}/content?dtype=f16`), 409);
    expect(problem.detail).toContain("SHA-256");
  });
});

Deno.test("an export that is imported again is exported with the same tensors and JSON files", async (t) => {
  await using api = await TestApi.open();
  const mae = await api.store({ config: PUBLISHED });
  const classifier = await api.store({ config: { ...PUBLISHED, fcNorm: true }, model: "classifier", names });
  const table: [id: string, query: string][] = [
    [mae.id, "format=huggingface"],
    [mae.id, "format=meta"],
    [mae.id, "format=huggingface&dtype=bf16"],
    [mae.id, "dtype=f16"],
    [classifier.id, "format=timm"],
    [classifier.id, "format=meta"],
  ];
  for (const [id, query] of table) {
    await t.step(query, async () => {
      const files = await exportedFiles(api, id, query);
      const parts = Object.entries(files).map(([name, content]) => [FIELDS[name], { name, content }]);
      const response = await api.importWeights(Object.fromEntries(parts));
      const text = await response.text();
      expect({ status: response.status, text: response.ok ? "" : text }).toEqual({ status: 201, text: "" });
      const again = await exportedFiles(api, JSON.parse(text).id, query);
      const weights = ({ "model.safetensors": bytes }: Record<string, Bytes>) => {
        const { tensors, metadata } = readSafetensors(bytes);
        return { tensors: [...tensors].sort(([a], [b]) => a < b ? -1 : 1), model: metadata.model };
      };
      expect(weights(again)).toEqual(weights(files));
      for (const name of Object.keys(files).filter((name) => name.endsWith(".json"))) {
        const decode = (bytes: Bytes) => JSON.parse(new TextDecoder().decode(bytes));
        expect({ name, json: decode(again[name]) }).toEqual({ name, json: decode(files[name]) });
      }
    });
  }
});

/** The fields of an import by the names of the files. */
const FIELDS: Readonly<Record<string, string>> = {
  "model.safetensors": "weights",
  "config.json": "config",
  "preprocessor_config.json": "preprocessor_config",
};

/** Returns the files of an export. */
async function exportedFiles(api: TestApi, id: string, query: string): Promise<Record<string, Bytes>> {
  const { bytes, headers } = await download(api, id, query);
  return headers.get("content-type") === "application/zip"
    ? await unzip(bytes)
    : { "model.safetensors": bytes };
}

Deno.test("an export describes how to prepare images where its library cannot do it", async () => {
  await using api = await TestApi.open();
  const fields = { resize: "pad", background: "#0a0a0a" };
  const { id } = await (await api.importWeights(tinyUpload(), fields)).json();
  const files = await exportedFiles(api, id, "format=huggingface");
  const text = (name: string) => new TextDecoder().decode(files[name]);
  expect(text("README.txt")).toMatch(/resize=pad.*#0a0a0a bars/);
  expect(JSON.parse(text("preprocessor_config.json"))).toMatchObject({ do_resize: false });
  const squashed = await (await api.importWeights(tinyUpload(), { resize: "squash" })).json();
  expect(Object.keys(await exportedFiles(api, squashed.id, "format=huggingface"))).not.toContain(
    "README.txt",
  );
});

Deno.test("more exports than the limit are refused until one ends", async (t) => {
  await using api = await TestApi.open({ exports: 1 });
  const { id } = await api.store({ config: PUBLISHED });
  const url = `/v1/checkpoints/${id}/content?format=meta`;
  for (const end of ["read", "cancelled"]) {
    await t.step(end, async () => {
      const first = await api.send(url);
      const refused = await api.send(url);
      expect(refused.headers.get("retry-after")).toBe("10");
      const { detail } = await problemOf(refused, 503);
      expect(detail).toBe("Too many exports are already running (1): try again later");
      // What computes no weights is not counted.
      const headers = { "if-none-match": first.headers.get("etag")! };
      expect((await api.send(url, { headers })).status).toBe(304);
      if (end === "read") await first.bytes();
      else await first.body!.cancel();
    });
  }
  await download(api, id, "format=meta");
});

Deno.test("a disconnect during an export leaves no file open, and a range of an export is all of it", async () => {
  await using api = await TestApi.open();
  const { id } = await api.store({ config: { ...PUBLISHED, embedDim: 512, depth: 3 } });
  await using server = await api.listen();
  for (const query of ["format=huggingface", "format=meta", "dtype=bf16"]) {
    const url = `http://127.0.0.1:${server.port}/v1/checkpoints/${id}/content?${query}`;
    const response = await fetch(url, { headers: { range: "bytes=0-9" } });
    const size = Number(response.headers.get("content-length"));
    expect([response.status, size > 10_000_000]).toEqual([200, true]);
    const reader = response.body!.getReader();
    expect((await reader.read()).done).toBe(false);
    await reader.cancel();
  }
  const isOpen = () => [...Deno.readDirSync("/proc/self/fd")].some(({ name }) => pathOf(name).includes(id));
  for (let tries = 0; Deno.build.os === "linux" && isOpen(); tries++) {
    expect(tries).toBeLessThan(100);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

/** Returns the path of an open file of this process. */
function pathOf(descriptor: string): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    return "";
  }
}
