import { expect } from "expect";
import type { Checkpoint } from "../../../jobs/job.ts";
import { Runner } from "../../../jobs/runner/runner.ts";
import { RowTooLargeError } from "../../../jobs/store/kv/errors.ts";
import { RESULT_BYTES, resultBytes } from "../../../jobs/store/queue/outcome.ts";
import { JobStore } from "../../../jobs/store/store.ts";
import { checkpointOf, request, withStore } from "../fixtures.ts";

const LARGE = "x".repeat(70_000);

Deno.test("recording a checkpoint with too large a row is an error, and nothing is written", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    const checkpoint = checkpointOf(id, { classNames: [LARGE] } as Partial<Checkpoint>);
    await expect(claim.record({ checkpoint })).rejects.toThrow(RowTooLargeError);
    expect((await store.listCheckpoints(id)).data).toEqual([]);
    expect(await claim.finish({ type: "cancelled" })).toMatchObject({ status: "cancelled" });
  }));

Deno.test("a job with too large a row fails at its first attempt with an error code", async () => {
  const jobs = new JobStore(await Deno.openKv(":memory:"));
  const folder = await Deno.makeTempDir();
  const runModule = new URL("../largeRun.ts", import.meta.url);
  const runner = new Runner({
    jobs,
    storage: { url: `file:${folder}` },
    runModule,
    pollMs: 20,
    log: () => {},
  });
  const { job: { id } } = await jobs.create(request());
  runner.start();
  const job = await jobs.finished(id);
  expect(job).toMatchObject({
    status: "failed",
    attempt: 1,
    interruptions: 0,
    error: { code: "record_too_large", message: expect.stringContaining("65536 bytes") },
  });
  await runner.stop();
  jobs.kv.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the largest accepted request, backend, result and error fit in a row", () =>
  withStore(async ({ running }) => {
    const metadata = Object.fromEntries(
      Array.from({ length: 16 }, (_, i) => [`${i}`.padEnd(64, "鍵"), "値".repeat(512)]),
    );
    const { claim } = await running({ name: "名".repeat(128), metadata });
    const notes = Array.from({ length: 50 }, () => "理由".repeat(2000));
    await claim.record({ backend: { name: "simd", threads: 4, notes } });
    const metrics = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`${i}`.padEnd(3000, "指"), i]));
    await claim.record({ epoch: { epoch: 0, step: 1, loss: 1, metrics } });
    let text = "果".repeat(RESULT_BYTES / 2);
    while (resultBytes({ text }) > RESULT_BYTES) text = text.slice(0, -1);
    expect(await claim.finish({ type: "succeeded", result: { text } })).toMatchObject({
      status: "succeeded",
      result: { text },
    });
  }));
