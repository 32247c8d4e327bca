import { expect } from "expect";
import { problemOf, TestApi } from "./fixtures.ts";

/** Words of a library or of JavaScript, text that ends in a separator, and repeated text. */
const RAW =
  /undefined|tuple|NaN|\[object|Invalid|Unexpected|Expected|zod|regex|pattern|failOn|corrupt|[:,] *$|: :|(current value is.*){2}|\b(\w+) \2\b/;

const VALUES = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  "",
  "x",
  [],
  [1],
  [1, 2, 3],
  {},
  { a: 1 },
  [null],
  { id: 1 },
  { id: "digits", size: 1 },
  { steps: 1, epochs: 1 },
  [0.9, 2],
  [1, "x"],
  { preset: "x" },
  { depth: "x" },
  { patch_size: 5 },
];
const JOB_FIELDS = [
  "kind",
  "dataset",
  "name",
  "metadata",
  "seed",
  "epochs",
  "max_steps",
  "batch_size",
  "drop_last",
  "betas",
  "eps",
  "lr",
  "schedule",
  "warmup_epochs",
  "min_lr",
  "checkpoint_every",
  "model",
  "checkpoint",
  "job",
  "split",
  "mask_ratio",
  "more",
];
const MODEL_FIELDS = [
  "checkpoint",
  "job",
  "pictures",
  "dataset",
  "mask_ratio",
  "seed",
  "masking",
  "mask",
  "ids_keep",
  "noise",
  "columns",
  "captions",
  "paste_visible",
  "include",
];
const QUERIES = [
  "limit=",
  "limit=x",
  "limit=1e1",
  "limit=0",
  "after=",
  "after=x",
  "status=",
  "kind=x",
  "more=1",
  "wait=",
  "every=",
];

Deno.test("messages about bad input have no library words, are complete, and do not repeat themselves", async () => {
  await using api = await TestApi.open();
  const { jobId } = await api.model();
  const messages: string[] = [];
  const record = async (response: Response) => {
    if (response.status < 400) return void await response.body?.cancel();
    const { detail, errors } = await problemOf(response, response.status);
    messages.push(detail, ...errors.map(({ message }) => message));
    expect({ status: response.status, detail }).toMatchObject({ status: expect.any(Number) });
    expect(response.status).toBeLessThan(500);
  };
  for (const kind of ["pretrain", "finetune", "evaluate"]) {
    for (const field of JOB_FIELDS) {
      for (const value of VALUES) {
        await record(await api.post("/v1/jobs", { kind, dataset: "digits", [field]: value }));
      }
    }
  }
  for (const route of ["reconstructions", "classifications", "embeddings"]) {
    for (const field of MODEL_FIELDS) {
      for (const value of VALUES) await record(await api.post(`/v1/${route}`, { [field]: value }));
    }
  }
  for (
    const body of [
      "",
      " ",
      "{",
      "{}x",
      '{"a":}',
      '{"a":1,}',
      "tru",
      '{"a":NaN}',
      "'a'",
      '{"a":1 "b":2}',
      "\u0000",
    ]
  ) {
    await record(await api.post("/v1/jobs", body));
  }
  for (const query of QUERIES) {
    for (
      const path of [
        "jobs",
        "datasets",
        `jobs/${jobId}`,
        ...["events", "metrics", "checkpoints"].map((name) => `jobs/${jobId}/${name}`),
      ]
    ) {
      await record(await api.send(`/v1/${path}?${query}`));
    }
  }
  for (const prefer of ["wait", "wait=", "wait=x", "wait=1000"]) {
    await record(await api.send(`/v1/jobs/${jobId}`, { headers: { prefer } }));
  }
  // The client's value is shown unchanged.
  const words = messages.map((text) =>
    text.replaceAll(/current value is .*?(?= \(and \d+ more\)|$)/g, "current value is …")
  );
  expect([...new Set(words.filter((text) => RAW.test(text)))]).toEqual([]);
  expect(messages.length).toBeGreaterThan(1000);
});

Deno.test("a message states the rule of each choice once, and then the value", async () => {
  await using api = await TestApi.open();
  const detail = async (body: unknown) => (await problemOf(await api.post("/v1/jobs", body), 422)).detail;
  const job = { kind: "pretrain", dataset: "digits" };
  expect(await detail({ ...job, betas: "x" })).toBe('betas: must be an array: current value is "x"');
  expect(await detail({ ...job, dataset: 0 })).toBe(
    "dataset: must be a string or an object: current value is 0",
  );
  expect(await detail({ ...job, dataset: [] })).toBe(
    "dataset: must be a string or an object: current value is []",
  );
  expect(await detail({ ...job, name: [] })).toBe("name: must be a string: current value is []");
  expect(await detail({ ...job, name: "" })).toBe(
    'name: must have at least 1 character: current value is ""',
  );
  expect((await problemOf(await api.post("/v1/jobs", '{"a":\n }'), 400)).detail)
    .toBe("The body is not JSON: value expected at line 2, column 2");
  expect((await problemOf(await api.send("/v1/jobs?limit="), 422)).detail)
    .toBe("limit: must be a whole number from 1 to 100: current value is ''");
});
