import { expect } from "expect";
import process from "node:process";
import { ProcessInference } from "../../api/inference/client.ts";
import { openDigits } from "../../data/datasets/builtIn/digits.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { DEFAULT_COMPUTE } from "../../jobs/kinds/settings.ts";
import { problemOf, TestApi } from "./fixtures.ts";

const body = (checkpoint: Checkpoint, index: number) => ({
  checkpoint: checkpoint.id,
  dataset: { id: "digits", indices: [index] },
  seed: index,
});

const images = await openDigits().read("test", [0], { imageSize: 28, channels: 1 });

const unavailable = { code: "unavailable", retrySeconds: 1 };

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Makes one request for each model, and kills the process before it responds. @returns what became of them */
async function crashWith(inference: ProcessInference, ...models: Checkpoint[]) {
  await inference.warm();
  const pid = inference.pid!;
  Deno.kill(pid, "SIGSTOP");
  const pending = models.map((model) => inference.embed(model, images, "mean"));
  Deno.kill(pid, "SIGKILL");
  const outcomes = await Promise.allSettled(pending);
  expect(isRunning(pid)).toBe(false);
  return outcomes;
}

Deno.test("requests at the same time have the same responses as one after another", async () => {
  await using api = await TestApi.open();
  const models = [await api.model(), await api.model()];
  const bodies = Array.from({ length: 24 }, (_, i) => ({
    ...body(models[i % 2], i),
    ...(i % 3 === 0 && { include: ["patches"] }),
    ...(i % 5 === 0 && { mask_ratio: 0.5 }),
  }));
  const ask = async (body: object) => await (await api.post("/v1/reconstructions", body)).text();
  const together = await Promise.all(bodies.map(ask));
  for (const [i, body] of bodies.entries()) expect(together[i]).toBe(await ask(body));
});

Deno.test("when the process is killed, its batch fails, and the waiting requests are computed by the next one", async () => {
  await using api = await TestApi.open();
  const model = await api.model();
  await api.inference.embed(model, images, "mean");
  const [running, ...waiting] = await crashWith(api.inference, ...new Array(20).fill(model));
  const reason = { ...unavailable, message: expect.stringContaining("SIGKILL") };
  expect(running).toMatchObject({ reason });
  expect(waiting).toMatchObject(new Array(19).fill({ status: "fulfilled", value: { length: 16 } }));
});

Deno.test("after two crashes with a model, its requests get 503 with Retry-After", async () => {
  await using api = await TestApi.open();
  const model = await api.model();
  for (let crash = 0; crash < 2; crash++) {
    expect(await crashWith(api.inference, model)).toMatchObject([{ reason: unavailable }]);
  }
  const response = await api.post("/v1/reconstructions", body(model, 0));
  expect(response.headers.get("retry-after")).toBe("1");
  const { detail } = await problemOf(response, 503);
  expect(detail).toContain("ended repeatedly");
});

Deno.test("after two crashes with a model, requests of other models are computed", async () => {
  await using api = await TestApi.open();
  const [model, other] = [await api.model(), await api.model()];
  // The results of the other model do not end the row of crashes.
  await api.inference.embed(other, images, "mean");
  expect(await crashWith(api.inference, model, other)).toMatchObject([{ reason: unavailable }, {
    status: "fulfilled",
  }]);
  const outcomes = await crashWith(api.inference, model, model, other);
  expect(outcomes).toMatchObject([{ reason: unavailable }, { reason: unavailable }, { status: "fulfilled" }]);
  expect(outcomes[1]).toMatchObject({
    reason: { message: expect.stringContaining(`ended repeatedly with '${model.id}'`) },
  });
});

Deno.test("a process that can compute nothing is replaced after the same pause as a crashed one", async () => {
  await using api = await TestApi.open();
  const [model, other] = [await api.model(), await api.model()];
  const compute = { ...DEFAULT_COMPUTE, backend: "none" };
  const inference = new ProcessInference({ url: `file:${api.folder}/objects` }, { compute });
  await expect(inference.embed(model, images, "mean")).rejects.toMatchObject({
    code: "inference_failed",
    message: expect.stringContaining("'none'"),
  });
  const waiting = [model, model].map((model) => inference.embed(model, images, "mean"));
  const outcomes = await Promise.allSettled(waiting);
  expect(outcomes).toMatchObject([{ reason: { code: "inference_failed" } }, { reason: unavailable }]);
  // The request of another model waits, and no process is started for it yet.
  const later = inference.embed(other, images, "mean");
  expect(inference.pid).toBeUndefined();
  await inference.close();
  await expect(later).rejects.toThrow(/stopping/);
});

Deno.test("more requests than the queue holds give an error at once, and the others succeed", async () => {
  await using api = await TestApi.open();
  const model = await api.model();
  const compute = { ...DEFAULT_COMPUTE, backend: "cpu" };
  const queue = { requests: 4, bytes: 2 ** 20 };
  const inference = new ProcessInference({ url: `file:${api.folder}/objects` }, { compute, queue });
  // One is computed and four wait.
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, () => inference.embed(model, images, "mean")),
  );
  expect(outcomes.map(({ status }) => status)).toEqual([
    ...new Array(5).fill("fulfilled"),
    ...new Array(3).fill("rejected"),
  ]);
  expect(outcomes[7]).toMatchObject({ reason: { code: "unavailable" } });
  await inference.close();
});

Deno.test("a request whose client has gone fails at once, and the others succeed", async () => {
  await using api = await TestApi.open();
  const model = await api.model();
  const gone = new AbortController();
  const signals = [gone.signal, undefined, gone.signal, undefined];
  const pending = signals.map((signal) => api.inference.embed(model, images, "mean", signal));
  gone.abort(new Error("gone"));
  const outcomes = await Promise.allSettled(pending);
  expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected", "fulfilled"]);
  expect(outcomes[2]).toMatchObject({ reason: { message: "gone" } });
});

Deno.test("closing ends the process and fails pending requests", async () => {
  await using api = await TestApi.open();
  const model = await api.model();
  await api.inference.warm();
  const pid = api.inference.pid!;
  const pending = Promise.allSettled([0, 1].map(() => api.inference.embed(model, images, "mean")));
  await api.inference.close();
  expect(isRunning(pid)).toBe(false);
  expect(await pending).toMatchObject([{ status: "rejected" }, { status: "rejected" }]);
  await expect(api.inference.embed(model, images, "mean")).rejects.toThrow(/stopping/);
});
