/**
 * Groups 1 to 19: HTTP and JSON.
 *
 * @module
 */
import { bytes, get, job, PRETRAIN, raw, type Row } from "./row.ts";

const text = (value: string) => new TextEncoder().encode(value);
const around = (...middle: number[]) => bytes(...text('{"kind":"'), ...middle, ...text('"}'));
const body = (fields: string) => `{"kind":"pretrain","dataset":"digits",${fields}}`;
const type = (value: string) => ({ headers: { "content-type": value } });

/** HTTP and JSON. */
export const HTTP: readonly Row[] = [
  raw(1, "an empty body", "", 400, { pattern: /empty/ }),
  raw(1, "a body of spaces", " \n ", 400, { pattern: /empty/ }),
  ...["null", "[]", '"x"', "42"].map((value) => raw(2, value, value, 422, { pattern: /object/ })),
  raw(3, "truncated JSON", '{"kind": "pretrain"', 400, { pattern: /not JSON/ }),
  raw(3, "a string that does not end", '{"kind": "pretrain', 400, { pattern: /not JSON/ }),
  raw(4, "trailing garbage", '{"kind": "pretrain"} x', 400, { pattern: /not JSON/ }),
  raw(4, "two bodies", '{"kind": "pretrain"}{"kind": "pretrain"}', 400, { pattern: /not JSON/ }),
  raw(4, "a comment", '{"kind": "pretrain" /* */}', 400, { pattern: /not JSON/ }),
  raw(4, "a comma at the end", '{"kind": "pretrain",}', 400, { pattern: /not JSON/ }),
  raw(4, "NaN as a literal", body('"lr":NaN'), 400, { pattern: /not JSON/ }),
  raw(5, "a key twice", '{"kind":"pretrain","kind":"evaluate"}', 400, {
    path: "kind",
    pattern: /more than once/,
  }),
  raw(5, "a key twice, once escaped", '{"kind":"pretrain","k\\u0069nd":"evaluate"}', 400, { path: "kind" }),
  raw(5, "a key twice inside", body('"model":{"depth":1,"depth":2}'), 400, { path: "model.depth" }),
  raw(6, "100,000 lists deep", "[".repeat(100_000), 400, { pattern: /deeper/ }),
  raw(6, "100,000 objects deep", '{"a":'.repeat(100_000), 400, { pattern: /deeper/ }),
  raw(7, "100,000 keys", `{${Array.from({ length: 100_000 }, (_, i) => `"${i}":1`)}}`, 400, {
    pattern: /more than 10000 values/,
  }),
  raw(7, "100,000 elements", body(`"betas":[${Array(100_000).fill(0)}]`), 400, { pattern: /values/ }),
  ...["__proto__", "constructor", "prototype"].flatMap((key) => [
    raw(8, `${key} as a key`, body(`"${key}":{"kind":"evaluate"}`), 400, { path: key }),
    raw(8, `${key} in metadata`, body(`"metadata":{"${key}":"x"}`), 400, { path: `metadata.${key}` }),
  ]),
  raw(8, "__proto__, escaped", body('"\\u005f_proto__":{}'), 400, { path: "__proto__" }),
  raw(8, "toString as a key", body('"toString":1'), 422, { path: "toString" }),
  raw(9, "invalid UTF-8", around(0xff, 0xfe), 400, { pattern: /UTF-8/ }),
  raw(9, "an overlong form of /", around(0xc0, 0xaf), 400, { pattern: /UTF-8/ }),
  raw(9, "a surrogate in UTF-8", around(0xed, 0xa0, 0x80), 400, { pattern: /UTF-8/ }),
  raw(9, "a byte order mark", bytes(0xef, 0xbb, 0xbf, ...text("{}")), 400, { pattern: /byte order/ }),
  raw(9, "UTF-16", bytes(0xff, 0xfe, 0x7b, 0, 0x7d, 0), 400, { pattern: /UTF-8/ }),
  raw(9, "NUL in a string", body('"name":"a\\u0000b"'), 400, { path: "name", pattern: /NUL/ }),
  raw(9, "NUL in a key", body('"metadata":{"a\\u0000":"b"}'), 400, { pattern: /NUL/ }),
  raw(9, "a lone surrogate", body('"name":"\\ud800"'), 400, { path: "name", pattern: /surrogate/ }),
  raw(10, "no Content-Type", text("{}"), 415, { headers: {}, pattern: /application\/json/ }),
  ...["text/plain", "application/jsonp", "application/x-www-form-urlencoded", "multipart/form-data"].map((
    value,
  ) => raw(10, value, "{}", 415, type(value))),
  ...["utf-16", "iso-8859-1", ""].map((charset) =>
    raw(10, `charset=${charset}`, "{}", 415, {
      ...type(`application/json; charset=${charset}`),
      pattern: /charset/,
    })
  ),
  raw(11, "a body above the cap", `{"kind":"${"x".repeat(2 ** 20)}"}`, 413, {
    pattern: /at most 1048576 bytes/,
  }),
  ...["gzip", "br", "gzip, identity"].map((encoding) =>
    raw(13, `Content-Encoding: ${encoding}`, "{}", 415, {
      headers: { "content-type": "application/json", "content-encoding": encoding },
      pattern: /Content-Encoding/,
    })
  ),
  get(15, "an address of 10 KB", `/v1/jobs?limit=${"1".repeat(10_000)}`, 414, { pattern: /8192/ }),
  {
    group: 15,
    title: "a header of 64 KB",
    send: (api) => api.send("/v1/jobs", { headers: { "x-a": "a".repeat(65_536) } }),
    status: 431,
  },
  ...[["PUT", "/v1/jobs"], ["PATCH", "/v1/jobs"], ["POST", "/healthz"], ["GET", "/v1/embeddings"], [
    "TEAPOT",
    "/",
  ]]
    .map(([method, path]): Row => ({
      group: 16,
      title: `${method} ${path}`,
      send: (api) => api.send(path, { method }),
      status: 405,
      pattern: new RegExp(method),
    })),
  get(16, "an unknown address", "/v2/jobs", 404),
  ...["text/plain", "application/json;q=0", "image/png"].map((accept): Row => ({
    group: 17,
    title: `Accept: ${accept}`,
    send: (api) => api.send("/v1/jobs", { headers: { accept } }),
    status: 406,
    pattern: /application\/json/,
  })),
  {
    group: 17,
    title: "creating a job with an unacceptable media type",
    send: (api) => api.post("/v1/jobs", PRETRAIN, { accept: "text/html" }),
    status: 406,
  },
  job(18, "an unknown field", { ...PRETRAIN, epocs: 3 }, "epocs"),
  job(18, "a field of the server", { ...PRETRAIN, status: "succeeded" }, "status"),
  job(18, "an unknown field of the model", { ...PRETRAIN, model: { widht: 3 } }, "model.widht"),
  job(18, "an unknown field of the data set", { ...PRETRAIN, dataset: { id: "digits", n: 3 } }, "dataset.n"),
  job(18, "a field in camelCase", { ...PRETRAIN, batchSize: 3 }, "batchSize"),
  job(18, "an unknown kind", { ...PRETRAIN, kind: "train" }, "kind", /"pretrain"/),
  job(18, "no kind", { dataset: "digits" }, "kind"),
  job(18, "no data set", { kind: "pretrain" }, "dataset"),
  job(18, "an unknown data set", { ...PRETRAIN, dataset: "cifar" }, "dataset", /no data set/),
  job(18, "a path as data set", { ...PRETRAIN, dataset: "../mnist" }, "dataset", /no data set/),
  job(18, "an unknown preset", { ...PRETRAIN, model: "vit_giant" }, "model", /"mnist"/),
  job(18, "an empty name", { ...PRETRAIN, name: "" }, "name"),
  job(18, "a name of 129 characters", { ...PRETRAIN, name: "x".repeat(129) }, "name", /128/),
  ...["wait=-1", "wait=1e9", "wait=abc", "wait=61", "wait"].map((prefer): Row => ({
    group: 19,
    title: `Prefer: ${prefer}`,
    send: (api) => api.post("/v1/jobs", PRETRAIN, { prefer }),
    status: 400,
    pattern: /from 0 to 60/,
  })),
];
