import { expect } from "expect";
import { problemOf, TestApi } from "./fixtures.ts";

const JOB = { kind: "pretrain", dataset: { id: "digits", size: 128 } };

/** Creates a job and returns the configuration of its model. */
async function configOf(api: TestApi, model: unknown): Promise<Record<string, unknown>> {
  const response = await api.post("/v1/jobs", { ...JOB, model });
  expect(response.status).toBe(201);
  return (await response.json()).request.model;
}

/** Returns the error of a request with an invalid model. */
async function errorOf(api: TestApi, model: unknown): Promise<{ path: string; message: string }> {
  return (await problemOf(await api.post("/v1/jobs", { ...JOB, model }), 422)).errors[0];
}

Deno.test("a named normalisation is stored and shown as numbers", async () => {
  await using api = await TestApi.open();
  const rgb = { preset: "mnist", in_channels: 3, normalize: "imagenet" };
  const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  expect(await configOf(api, rgb)).toMatchObject({ normalize: imagenet });
  expect(await configOf(api, { normalize: "half" })).toMatchObject({
    normalize: { mean: [0.5], std: [0.5] },
  });
  expect(await configOf(api, { normalize: "none" })).toMatchObject({ normalize: null });
  const own = { mean: [0.1307], std: [0.3081] };
  expect(await configOf(api, { normalize: own })).toMatchObject({ normalize: own });
  const { path, message } = await errorOf(api, { normalize: "imagenet" });
  expect(path).toBe("model.normalize");
  expect(message).toMatch(/must have 1 mean and deviation/);
});

Deno.test("mlp_ratio applies to the decoder unless decoder_mlp_ratio is given", async () => {
  await using api = await TestApi.open();
  expect(await configOf(api, { mlp_ratio: 3 })).toMatchObject({ mlp_ratio: 3, decoder_mlp_ratio: 3 });
  expect(await configOf(api, { mlp_ratio: 3, decoder_mlp_ratio: 1 })).toMatchObject({ decoder_mlp_ratio: 1 });
});

Deno.test("positions of a file cannot be requested for a model from random weights", async () => {
  await using api = await TestApi.open();
  const { path, message } = await errorOf(api, { positions: "stored" });
  expect(path).toBe("model.positions");
  expect(message).toMatch(/must be sincos_1d or sincos_2d/);
});

Deno.test("the presets tutorial and mnist are the same model", async () => {
  await using api = await TestApi.open();
  expect(await configOf(api, "tutorial")).toEqual(await configOf(api, "mnist"));
});
