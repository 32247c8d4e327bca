import { expect } from "expect";
import { idx, idxDigits, pngDigit, tarGz } from "../setup/uploads.ts";
import { FILES } from "./badInput/files.ts";
import { HTTP } from "./badInput/http.ts";
import { LISTS } from "./badInput/lists.ts";
import { alteredCheckpoints, INFERENCE } from "./badInput/models.ts";
import { NUMBERS } from "./badInput/numbers.ts";
import { WEIGHTS } from "./badInput/weights.ts";
import type { StoredIds } from "./badInput/row.ts";
import { problemOf, TestApi } from "./fixtures.ts";

async function createResources(api: TestApi): Promise<StoredIds> {
  const mae = await api.model("mae"),
    classifier = await api.model("classifier"),
    deleted = await api.model("mae");
  await api.send(`/v1/jobs/${deleted.jobId}`, { method: "DELETE" });
  const cancelled = await api.job();
  await api.send(`/v1/jobs/${cancelled}/cancel`, { method: "POST" });
  const dataset = async (...upload: Parameters<TestApi["upload"]>): Promise<string> => {
    const response = await api.upload(...upload);
    expect(response.status).toBe(201);
    return (await response.json()).id;
  };
  const png = await pngDigit(0);
  return {
    mae: mae.id,
    classifier: classifier.id,
    job: mae.jobId,
    queued: await api.job(),
    cancelled,
    twoClasses: await dataset({ archive: await tarGz({ "a/1.png": png, "b/1.png": png }) }, {
      held_out: "0.5",
    }),
    unlabelled: await dataset({ train_images: idxDigits(200, "train").images }, { held_out: "0" }),
    single: await dataset({ train_images: idx(0x803, [1, 28, 28], new Uint8Array(784)) }),
    deleted: deleted.id,
    deletedJob: deleted.jobId,
  };
}

Deno.test("invalid input is rejected with a problem that names it, and stores nothing", async (t) => {
  await using api = await TestApi.open();
  const altered = await alteredCheckpoints(api);
  const ids = await createResources(api);
  const rows = [...HTTP, ...NUMBERS, ...FILES, ...INFERENCE, ...altered, ...LISTS, ...WEIGHTS];
  for (const { group, title, send, status, path, pattern } of rows) {
    await t.step(`${group}: ${title}`, async () => {
      const before = await api.traces();
      const { detail, errors } = await problemOf(await send(api, ids), status);
      if (path !== undefined) expect(errors.map((error) => error.path)).toContain(path);
      if (pattern) expect([detail, ...errors.map(({ message }) => message)].join("\n")).toMatch(pattern);
      expect(await api.traces()).toEqual(before);
    });
  }
  await t.step(
    "nothing is logged as an error",
    () => expect(api.log.filter((entry) => entry.level === "error")).toEqual([]),
  );
  await t.step("a valid request still succeeds", async () => void await api.job());
});
