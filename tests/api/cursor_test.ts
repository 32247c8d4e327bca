import { expect } from "expect";
import { ulid } from "ulid";
import { problemOf, TestApi } from "./fixtures.ts";

Deno.test("a cursor that was never an id is rejected, and paging continues after a deleted row", async (t) => {
  await using api = await TestApi.open();
  const ids = [await api.job(), await api.job(), await api.job()];
  const page = async (path: string) =>
    (await (await api.send(path)).json()).data.map((row: { id: string }) => row.id);
  const rejected = async (path: string) =>
    expect((await problemOf(await api.send(path), 422)).errors.map((error) => error.path)).toEqual(["after"]);

  await t.step("jobs", async () => {
    expect(await page(`/v1/jobs?after=${ids[1]}`)).toEqual([ids[0]]);
    expect(await page(`/v1/jobs?after=${ids[0]}`)).toEqual([]);
    for (const after of ["0".repeat(26), "01JD0000000000000000000000", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"]) {
      await rejected(`/v1/jobs?after=job_${after}`);
    }
    await rejected(`/v1/jobs?after=job_${ulid(Date.now() + 3_600_000)}`);
    await rejected("/v1/jobs?after=ckpt_01JD0000000000000000000000");
    await rejected("/v1/jobs?after=x");
    await rejected("/v1/jobs?after=");
    expect((await api.send(`/v1/jobs/${ids[2]}`, { method: "DELETE" })).status).toBe(204);
    expect(await page(`/v1/jobs?after=${ids[2]}`)).toEqual([ids[1], ids[0]]);
  });
  await t.step("checkpoints", async () => {
    for (const id of ids.slice(0, 2)) await api.send(`/v1/jobs/${id}`, { method: "DELETE" });
    const one = await api.model(), other = await api.model();
    expect(await page(`/v1/jobs/${one.jobId}/checkpoints`)).toEqual([one.id]);
    expect(await page(`/v1/jobs/${one.jobId}/checkpoints?after=${one.id}`)).toEqual([]);
    await rejected(`/v1/jobs/${one.jobId}/checkpoints?after=${other.id}`);
    await rejected(`/v1/jobs/${other.jobId}/checkpoints?after=${one.id}`);
    await rejected(`/v1/jobs/${one.jobId}/checkpoints?after=ckpt_${"0".repeat(26)}`);
  });
  await t.step("data sets", async () => {
    const names = await page("/v1/datasets");
    expect(await page(`/v1/datasets?after=${names.at(-1)}`)).toEqual([]);
    await rejected(`/v1/datasets?after=ds_${"0".repeat(26)}`);
    await rejected("/v1/datasets?after=nothing");
  });
});
