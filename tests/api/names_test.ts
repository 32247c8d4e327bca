import { expect } from "expect";
import { idxDigits } from "../setup/uploads.ts";
import { problemOf, TestApi } from "./fixtures.ts";

const REJECTED = [
  "a\nb",
  "a\rb",
  "a\tb",
  "\u001b[31m",
  "\u0085",
  "a\u2028b",
  "user\u202egnp",
  "\u2066a",
  "\ufeffa",
];
/** Joined emoji, Persian, Hindi, and an unassigned code point. */
const ACCEPTED = ["run 7", "👩‍🔬", "می‌خواهم", "क्‍ष", "\u0378"];

Deno.test("names of jobs and data sets are one line without direction marks, and may contain joiners", async () => {
  await using api = await TestApi.open();
  const { images } = idxDigits(20, "train");
  const job = (name: string) => api.post("/v1/jobs", { kind: "pretrain", dataset: "digits", name });
  const dataset = (name: string) => api.upload({ train_images: images }, { name });
  for (const create of [job, dataset]) {
    for (const name of REJECTED) {
      const { errors } = await problemOf(await create(name), 422);
      expect(errors).toMatchObject([{ path: "name", message: expect.stringContaining("one line") }]);
    }
    for (const name of ACCEPTED) expect(await (await create(name)).json()).toMatchObject({ name });
  }
});

Deno.test("the free text of a job is one line, and may contain joiners", async (t) => {
  await using api = await TestApi.open();
  const create = (body: object) => api.post("/v1/jobs", { kind: "pretrain", dataset: "digits", ...body });
  const marks = [
    "\r\n",
    "\n",
    "\t",
    "\u0007",
    "\u007f",
    "\u0085",
    "\u2028",
    "\u202a",
    "\u202e",
    "\u2066",
    "\u2069",
    "\ufeff",
  ];
  for (const mark of marks) {
    await t.step(JSON.stringify(mark), async () => {
      const text = `a${mark}b`;
      for (
        const [body, path] of [
          [{ name: text }, "name"],
          [{ metadata: { key: text } }, "metadata.key"],
          [{ metadata: { [text]: "value" } }, `metadata.${text}`],
        ] as const
      ) {
        const problem = await problemOf(await create(body), 422);
        expect(problem.errors.map((error) => error.path)).toEqual([path]);
        expect(problem.errors[0].message).toContain("one line");
      }
    });
  }
  await t.step("joiners, emoji and scripts", async () => {
    const name = "می‌خواهم क्‍ष 👩‍🔬 猫";
    const response = await create({ name, metadata: { [name]: name, empty: "" } });
    expect(await response.json()).toMatchObject({ name, metadata: { [name]: name, empty: "" } });
  });
});
