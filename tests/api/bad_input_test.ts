import { expect } from "expect";
import { idx, idxDigits, pngDigit, tarGz } from "../setup/uploads.ts";
import { TestApi } from "./fixtures.ts";

/** A request that must be refused. */
interface Row {
  /** Group of the list in the field notes. */
  readonly group: number;
  readonly what: string;
  readonly send: (api: TestApi, ids: Ids) => Promise<Response>;
  readonly status: number;
  /** The field that the problem names. */
  readonly path?: string;
  /** What its detail or a message says. */
  readonly says?: RegExp;
}

interface Ids {
  readonly mae: string;
  readonly classifier: string;
  readonly job: string;
}

const pretrain = { kind: "pretrain", dataset: "digits" };

/** Refused bodies of `POST /v1/jobs`. */
const jobs = (
  group: number,
  rows: readonly [what: string, body: unknown, path: string | undefined, status?: number, says?: RegExp][],
): Row[] =>
  rows.map(([what, body, path, status = 422, says]) => ({
    group,
    what,
    send: (api) => api.post("/v1/jobs", body),
    status,
    path,
    says,
  }));

/** Refused values of one field of a pre-training job. */
const values = (group: number, path: string, list: readonly unknown[]): Row[] =>
  list.map((value) => {
    const body = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;
    return {
      group,
      what: `${path} ${JSON.stringify(value)}`,
      send: (api) => api.post("/v1/jobs", { ...pretrain, ...body }),
      status: 422,
      path,
    };
  });

const raw =
  (body: BodyInit, type: string | null = "application/json", more: Record<string, string> = {}) =>
  (api: TestApi) =>
    api.send("/v1/jobs", {
      method: "POST",
      headers: { ...(type && { "content-type": type }), ...more },
      body,
    });

const bytes = (...list: number[]) => Uint8Array.from(list);
const around = (middle: number[]) =>
  bytes(...new TextEncoder().encode('{"kind":"'), ...middle, ...new TextEncoder().encode('"}'));

const upload =
  (files: Record<string, Uint8Array<ArrayBuffer>>, fields: Record<string, string> = {}, name = "file") =>
  (api: TestApi) => {
    const form = new FormData();
    for (const [field, value] of Object.entries(fields)) form.set(field, value);
    for (const [field, content] of Object.entries(files)) form.set(field, new File([content], name));
    return api.send("/v1/datasets", { method: "POST", body: form });
  };

const good = idxDigits(20, "train");
const image = idx(0x803, [2, 2, 2], new Uint8Array(8));
const png = await pngDigit(1);
const without = (size: number) => good.images.slice(0, size);

const ROWS: Row[] = [
  ...[
    ["an empty body", ""],
    ["truncated JSON", '{"kind": "pretrain"'],
    ["trailing garbage", '{"kind": "pretrain"} x'],
    ["duplicate keys", '{"kind": "pretrain", "kind": "evaluate"}'],
    ["depth 100,000", "[".repeat(100_000)],
    ["60,000 keys", `{${Array.from({ length: 60_000 }, (_, i) => `"k${i}":1`).join(",")}}`],
    ["__proto__ as a key", '{"kind": "pretrain", "dataset": "digits", "__proto__": {}}'],
    ["constructor inside metadata", '{"kind":"pretrain","dataset":"digits","metadata":{"constructor":"x"}}'],
    ["NUL in a string", '{"kind": "pre\\u0000train"}'],
    ["a lone surrogate", '{"kind": "\\ud800"}'],
  ].map(([what, body], at): Row => ({ group: at + 1, what, send: raw(body), status: 400 })),
  ...["null", "[]", '"x"', "42"].map((body): Row => ({ group: 2, what: body, send: raw(body), status: 422 })),
  { group: 9, what: "invalid UTF-8", send: raw(around([0xff, 0xfe])), status: 400, says: /UTF-8/ },
  {
    group: 9,
    what: "a byte order mark",
    send: raw(bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d)),
    status: 400,
    says: /byte order/,
  },
  { group: 10, what: "no Content-Type", send: raw(bytes(0x7b, 0x7d), null), status: 415 },
  { group: 10, what: "another Content-Type", send: raw("{}", "text/plain"), status: 415 },
  {
    group: 10,
    what: "UTF-16",
    send: raw("{}", "application/json; charset=utf-16"),
    status: 415,
    says: /charset/,
  },
  { group: 11, what: "a body above the cap", send: raw(`{"kind":"${"x".repeat(2 ** 20)}"}`), status: 413 },
  {
    group: 13,
    what: "a compressed body",
    send: raw("{}", "application/json", { "content-encoding": "gzip" }),
    status: 415,
  },
  {
    group: 15,
    what: "an address of 10 KB",
    send: (api) => api.send(`/v1/jobs?limit=${"1".repeat(10_000)}`),
    status: 414,
  },
  {
    group: 15,
    what: "a header of 64 KB",
    send: (api) => api.send("/v1/jobs", { headers: { "x-a": "a".repeat(65_536) } }),
    status: 431,
  },
  {
    group: 16,
    what: "a wrong verb",
    send: (api) => api.send("/v1/jobs", { method: "PUT", body: "{}" }),
    status: 405,
  },
  {
    group: 17,
    what: "Accept: text/plain",
    send: (api) => api.send("/v1/jobs", { headers: { accept: "text/plain" } }),
    status: 406,
  },
  ...jobs(18, [
    ["an unknown field", { ...pretrain, epocs: 3 }, undefined, 422, /epocs/],
    ["an unknown field of the model", { ...pretrain, model: { widht: 3 } }, undefined, 422, /widht/],
    ["an unknown kind", { ...pretrain, kind: "train" }, "kind"],
    ["no data set", { kind: "pretrain" }, "dataset"],
    ["an unknown data set", { kind: "pretrain", dataset: "cifar" }, "dataset", 422, /no data set/],
    ["an unknown preset", { ...pretrain, model: "vit_huge" }, "model"],
  ]),
  ...["wait=-1", "wait=1e9", "wait=abc"].map((prefer): Row => ({
    group: 19,
    what: `Prefer: ${prefer}`,
    send: (api) => api.post("/v1/jobs", pretrain, { prefer }),
    status: 400,
  })),
  ...values(20, "epochs", [0, -1, 1.5, 1e9, "10", "NaN", null, true, [1]]),
  ...values(20, "max_steps", [0, 1.5, -3]),
  ...values(21, "lr", [0, -1e-3, 1e308, 5e-324, "1e-3"]),
  ...values(21, "weight_decay", [-1, 1e9]),
  ...values(22, "model.mask_ratio", [0, 1, -0.1, 1.1, "0.5"]),
  ...values(23, "model.mask_ratio", [0.99]),
  ...values(24, "model.patch_size", [5, 0, 1.5, -4]),
  ...values(25, "model.patch_size", [56]),
  ...values(26, "model.image_size", [0, 1_000_000, -28]),
  ...values(27, "model.num_heads", [5, 0, 3]),
  ...values(27, "model.decoder_num_heads", [5]),
  ...values(29, "model.depth", [0, 10_000, 1.5]),
  ...values(29, "model.mlp_ratio", [0, -1]),
  ...values(29, "model.dropout", [1, -0.1, 2]),
  ...jobs(30, [
    [
      "a model that needs too much memory",
      { ...pretrain, model: "vit_base", batch_size: 4096 },
      "batch_size",
      422,
      /GiB/,
    ],
  ]),
  ...jobs(31, [
    [
      "a batch above the data set",
      { ...pretrain, dataset: { id: "digits", size: 100 }, batch_size: 128 },
      "batch_size",
      422,
      /drop_last/,
    ],
  ]),
  ...values(31, "batch_size", [0, -1, 2.5, 1e6]),
  ...values(31, "dataset.size", [0, 5, 1e9]),
  ...jobs(33, [
    ["warm-up longer than the run", { ...pretrain, epochs: 2, warmup_epochs: 3 }, "warmup_epochs"],
    ["min_lr above lr", { ...pretrain, lr: 1e-3, min_lr: 1e-2 }, "min_lr"],
    ["checkpoint_every both", { ...pretrain, checkpoint_every: { epochs: 1, steps: 1 } }, "checkpoint_every"],
    ["an unknown schedule", { ...pretrain, schedule: "step" }, "schedule"],
  ]),
  ...jobs(34, [
    ["beta of 1", { ...pretrain, betas: [0.9, 1] }, "betas.1"],
    ["three betas", { ...pretrain, betas: [0.9, 0.9, 0.9] }, "betas"],
    ["eps 0", { ...pretrain, eps: 0 }, "eps"],
  ]),
  ...values(35, "seed", [-1, 2 ** 53, 0.5, "1"]),
  ...values(36, "model.in_channels", [2, 5, 0]),
  ...jobs(40, [
    ["no checkpoint", { kind: "finetune", dataset: "digits" }, "checkpoint"],
    [
      "an unknown checkpoint",
      { kind: "finetune", dataset: "digits", checkpoint: `ckpt_${"0".repeat(26)}` },
      "checkpoint",
    ],
    ["an unknown job", { kind: "finetune", dataset: "digits", job: `job_${"0".repeat(26)}` }, "job"],
  ]),
  {
    group: 40,
    what: "fine-tuning from a classifier",
    send: (api, { classifier }) =>
      api.post("/v1/jobs", { kind: "finetune", dataset: "digits", checkpoint: classifier }),
    status: 422,
    path: "checkpoint",
    says: /masked autoencoder/,
  },
  {
    group: 40,
    what: "both checkpoint and job",
    send: (api, { mae, job }) =>
      api.post("/v1/jobs", { kind: "finetune", dataset: "digits", checkpoint: mae, job }),
    status: 422,
    path: "checkpoint",
  },
  { group: 41, what: "no file", send: upload({}, { name: "x" }), status: 422, path: "train_images" },
  {
    group: 41,
    what: "an empty file",
    send: upload({ train_images: bytes() }),
    status: 422,
    path: "train_images",
  },
  {
    group: 42,
    what: "a cut gzip file",
    send: upload({ train_images: without(500) }),
    status: 422,
    path: "train_images",
    says: /damaged/,
  },
  {
    group: 42,
    what: "a cut IDX file",
    send: upload({ train_images: image.slice(0, 20) }),
    status: 422,
    path: "train_images",
    says: /ends after 4/,
  },
  {
    group: 42,
    what: "a long IDX file",
    send: upload({ train_images: bytes(...image, 1) }),
    status: 422,
    path: "train_images",
    says: /longer/,
  },
  {
    group: 44,
    what: "a PDF in an archive",
    send: async (api) =>
      await upload({ archive: await tarGz({ "a/1.png": bytes(0x25, 0x50, 0x44, 0x46, 1) }) })(api),
    status: 422,
    path: "archive",
    says: /1\.png.*neither PNG nor JPEG/,
  },
  {
    group: 46,
    what: "a damaged PNG",
    send: async (api) => await upload({ archive: await tarGz({ "a/1.png": png.slice(0, 60) }) })(api),
    status: 422,
    path: "archive",
    says: /cannot be decoded/,
  },
  {
    group: 48,
    what: "labels as images",
    send: upload({ train_images: good.labels }),
    status: 422,
    path: "train_images",
    says: /label file/,
  },
  {
    group: 48,
    what: "a wrong magic number",
    send: upload({ train_images: idx(0x0d03, [1, 1, 1], bytes(1)) }),
    status: 422,
    path: "train_images",
  },
  {
    group: 48,
    what: "negative counts",
    send: upload({ train_images: idx(0x803, [0xffffffff, 28, 28], bytes(1)) }),
    status: 422,
    path: "train_images",
  },
  {
    group: 48,
    what: "a header of terabytes",
    send: upload({ train_images: idx(0x803, [10_000_000, 4096, 4096], bytes(1)) }),
    status: 422,
    path: "train_images",
    says: /at most/,
  },
  {
    group: 48,
    what: "fewer labels than images",
    send: upload({ train_images: good.images, train_labels: idx(0x801, [2], bytes(0, 1)) }),
    status: 422,
    path: "train_labels",
  },
  {
    group: 37,
    what: "a label without a picture",
    send: upload({ train_images: image, train_labels: idx(0x801, [2], bytes(0, 2)) }),
    status: 422,
    path: "train_labels",
    says: /label 1/,
  },
  {
    group: 49,
    what: "a path that leaves the archive",
    send: async (api) => await upload({ archive: await tarGz({ "../1.png": png }) })(api),
    status: 422,
    path: "archive",
    says: /leaves/,
  },
  {
    group: 49,
    what: "an absolute path",
    send: async (api) => await upload({ archive: await tarGz({ "/etc/1.png": png }) })(api),
    status: 422,
    path: "archive",
    says: /absolute/,
  },
  { group: 50, what: "no archive", send: upload({ archive: bytes(1, 2, 3) }), status: 422, path: "archive" },
  {
    group: 51,
    what: "gzip in gzip",
    send: async (api) => await upload({ train_images: await gzipped(good.images) })(api),
    status: 422,
    path: "train_images",
    says: /twice/,
  },
  {
    group: 54,
    what: "a file name with a direction mark",
    send: upload({ train_images: image }, {}, "a\u202egnp.exe"),
    status: 422,
    path: "train_images",
    says: /file name/,
  },
  {
    group: 54,
    what: "a file name of 1,000 characters",
    send: upload({ train_images: image }, {}, "a".repeat(1000)),
    status: 422,
    path: "train_images",
    says: /file name/,
  },
  { group: 18, what: "an unknown file field", send: upload({ images: image }), status: 422, path: "images" },
  {
    group: 20,
    what: "held_out above a half",
    send: upload({ train_images: image }, { held_out: "0.7" }),
    status: 422,
    path: "held_out",
  },
  ...[["not base64", "***"], ["a wrong data URL", "data:text/html;base64,AAAA"], ["a GIF", btoa("GIF89a")]]
    .map((
      [what, picture],
    ): Row => ({
      group: 47,
      what,
      send: (api, { mae }) => api.post("/v1/reconstructions", { checkpoint: mae, pictures: [picture] }),
      status: 422,
      path: "pictures.0",
    })),
  {
    group: 22,
    what: "a ratio that keeps nothing of this model",
    send: (api, { mae }) =>
      api.post("/v1/reconstructions", {
        checkpoint: mae,
        mask_ratio: 0.99,
        dataset: { id: "digits", indices: [0] },
      }),
    status: 422,
    path: "mask_ratio",
  },
  {
    group: 20,
    what: "an index outside the data set",
    send: (api, { mae }) =>
      api.post("/v1/embeddings", { checkpoint: mae, dataset: { id: "digits", indices: [0, 2000] } }),
    status: 422,
    path: "dataset.indices.1",
  },
  {
    group: 40,
    what: "a classification by an MAE",
    send: (api, { mae }) =>
      api.post("/v1/classifications", { checkpoint: mae, dataset: { id: "digits", indices: [0] } }),
    status: 422,
    path: "checkpoint",
  },
  {
    group: 40,
    what: "a reconstruction by a classifier",
    send: (api, { classifier }) =>
      api.post("/v1/reconstructions", { checkpoint: classifier, dataset: { id: "digits", indices: [0] } }),
    status: 422,
    path: "checkpoint",
  },
  ...["job_1", "ckpt_00000000000000000000000000", "..%2f..", "%00", "job_%2e%2e", `job_${"0".repeat(10_000)}`]
    .map((id): Row => ({
      group: 69,
      what: `the id ${id.slice(0, 40)}`,
      send: (api) => api.send(`/v1/jobs/${id}`),
      status: id.length > 8192 ? 414 : 404,
    })),
  {
    group: 69,
    what: "an id that is not there",
    send: (api) => api.send(`/v1/jobs/job_${"0".repeat(26)}`),
    status: 404,
  },
  ...["limit=0", "limit=-1", "limit=1e9", "limit=abc", "after=x", "status=done", "color=red"].map((
    query,
  ): Row => ({
    group: 71,
    what: query,
    send: (api) => api.send(`/v1/jobs?${query}`),
    status: 422,
    path: query.split("=")[0],
  })),
  ...["", "x".repeat(10_000)].map((key): Row => ({
    group: 72,
    what: `an Idempotency-Key of ${key.length} characters`,
    send: (api) => api.post("/v1/jobs", pretrain, { "idempotency-key": key }),
    status: 400,
  })),
  ...jobs(73, [
    ["17 keys of metadata", {
      ...pretrain,
      metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ""])),
    }, "metadata"],
    ["a number as metadata", { ...pretrain, metadata: { a: 1 } }, "metadata.a"],
    ["a long value of metadata", { ...pretrain, metadata: { a: "x".repeat(513) } }, "metadata.a"],
  ]),
];

async function gzipped(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await new Response(new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
  );
}

Deno.test("bad input is refused with a problem that names it, and leaves nothing behind", async (t) => {
  await using api = await TestApi.open();
  const mae = await api.model("mae"), classifier = await api.model("classifier");
  const ids = { mae: mae.id, classifier: classifier.id, job: mae.jobId };
  for (const { group, what, send, status, path, says } of ROWS) {
    await t.step(`${group}: ${what}`, async () => {
      const before = await api.traces();
      const response = await send(api, ids);
      const text = await response.text();
      expect({ status: response.status, text }).toMatchObject({ status });
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      const problem = JSON.parse(text);
      expect(problem).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
      const errors = (problem.errors ?? []) as { path: string; message: string }[];
      if (path !== undefined) expect(errors.map((error) => error.path)).toContain(path);
      if (says) {
        expect([problem.detail, ...errors.map(({ path, message }) => `${path} ${message}`)].join("\n"))
          .toMatch(says);
      }
      expect(text.length).toBeLessThan(4000);
      expect(await api.traces()).toEqual(before);
    });
  }
});
