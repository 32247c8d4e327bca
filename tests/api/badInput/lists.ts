/**
 * Groups 69 to 73: ids, pages, idempotency keys, metadata.
 *
 * @module
 */
import { get, job, PRETRAIN, type Row } from "./row.ts";

const NONE = "0".repeat(26);
const metadata = (title: string, value: unknown, path: string, pattern?: RegExp) =>
  job(73, title, { ...PRETRAIN, metadata: value }, path, pattern);

const IDS = [
  "1",
  "job_1",
  `job_${"0".repeat(25)}`,
  `job_${"0".repeat(27)}`,
  `job_${"8".repeat(26)}`,
  `JOB_${NONE}`,
  `job_${"é".repeat(26)}`,
  `job_${NONE}%00`,
  `job_${NONE}%0a`,
  `job_${NONE}%2f..`,
  "..%2f..%2fetc%2fpasswd",
  "%2e%2e",
  "%00",
  "%zz",
  "%e0%a4%a",
  "'%20OR%201=1",
];

/** Ids, pages, keys and metadata. */
export const LISTS: readonly Row[] = [
  ...IDS.map((id) => get(69, `the job ${id}`, `/v1/jobs/${id}`, 404)),
  ...["", "/content"].flatMap((end) =>
    [`job_${NONE}`, `ckpt_${NONE}`, "..%2fobjects"].map((id) =>
      get(69, `the checkpoint ${id}${end}`, `/v1/checkpoints/${id}${end}`, 404)
    )
  ),
  ...["cifar", "..%2fmnist", `ds_${NONE}`, "Digits", "digits%00", "constructor", "__proto__"].map((id) =>
    get(69, `the data set ${id}`, `/v1/datasets/${id}`, 404)
  ),
  get(69, "an id of 10 KB", `/v1/jobs/job_${"0".repeat(10_000)}`, 414),
  get(69, "a job that is not there", `/v1/jobs/job_${NONE}`, 404, { pattern: new RegExp(NONE) }),
  ...["events", "metrics", "checkpoints"].map((part) =>
    get(69, `${part} of no job`, `/v1/jobs/job_${NONE}/${part}`, 404)
  ),
  ...[["POST", "/cancel"], ["DELETE", ""]].map(([method, end]): Row => ({
    group: 69,
    title: `${method} of no job`,
    send: (api) => api.send(`/v1/jobs/job_${NONE}${end}`, { method }),
    status: 404,
  })),
  ...["jobs", "datasets"].flatMap((list) =>
    [
      "limit=0",
      "limit=-1",
      "limit=1e9",
      "limit=abc",
      "limit=101",
      "limit=",
      "limit=1&limit=2",
      "after=",
      "after=X",
    ]
      .map((query) => get(71, `${list}?${query}`, `/v1/${list}?${query}`, 422, { path: query.split("=")[0] }))
  ),
  ...["status=done", "kind=train", "color=red", "__proto__=1", `after=ckpt_${NONE}`, "after=%00"].map((
    query,
  ) => get(71, `jobs?${query}`, `/v1/jobs?${query}`, 422, { path: query.split("=")[0] })),
  ...["after=-1", "limit=10001", "every=0", "every=1.5"].map((query): Row => ({
    group: 71,
    title: `metrics?${query}`,
    send: (api, present) => api.send(`/v1/jobs/${present.job}/metrics?${query}`),
    status: 422,
    path: query.split("=")[0],
  })),
  ...["-1", "61", "1.5", "abc", ""].map((wait): Row => ({
    group: 19,
    title: `?wait=${wait}`,
    send: (api, present) => api.send(`/v1/jobs/${present.queued}?wait=${wait}`),
    status: 422,
    path: "wait",
  })),
  ...["", '""', "x".repeat(256), "x".repeat(10_000), "a b", "schlüssel"].map((key): Row => ({
    group: 72,
    title: `the Idempotency-Key ${key.slice(0, 10)} of ${key.length} characters`,
    send: (api) => api.post("/v1/jobs", PRETRAIN, { "idempotency-key": key }),
    status: 400,
    pattern: /1 to 255/,
  })),
  metadata(
    "17 keys",
    Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ""])),
    "metadata",
    /16/,
  ),
  metadata("a key of 65 characters", { ["k".repeat(65)]: "" }, `metadata.${"k".repeat(65)}`, /64/),
  metadata("an empty key", { "": "x" }, "metadata."),
  metadata("a value of 513 characters", { a: "x".repeat(513) }, "metadata.a", /512/),
  ...[1, null, true, ["x"], { b: "x" }].map((value) =>
    metadata(`${JSON.stringify(value)} as a value`, { a: value }, "metadata.a", /string/)
  ),
  ...["x", ["x"], null].map((value) => metadata(`${JSON.stringify(value)}`, value, "metadata", /an object/)),
];
