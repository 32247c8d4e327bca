import { expect } from "expect";
import { readSafetensors, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import type { Bytes } from "../../data/bytes.ts";
import { problemOf, TestApi } from "./fixtures.ts";

/** A model with finite weights whose output is not finite: one tensor is filled with a huge number. */
const diverged = (tensor: string) => (file: Bytes): Bytes => {
  const { tensors, metadata } = readSafetensors(file);
  const { shape, data } = tensors.get(tensor)!;
  const huge = new Float32Array(data.length).fill(3e38);
  return writeSafetensors(
    new Map([...tensors, [tensor, { dtype: "F32" as const, shape, data: huge }]]),
    metadata,
  );
};

const pictures = { dataset: { id: "digits", indices: [0, 1] } };

Deno.test("output that is not finite gives an error that names the checkpoint, not null or a label", async () => {
  await using api = await TestApi.open();
  const decoder = await api.model("mae", diverged("decoder.decoder_pred.weight"));
  const encoder = await api.model("mae", diverged("encoder.norm.weight"));
  const head = await api.model("classifier", diverged("encoder.norm.weight"));
  const questions: [route: string, checkpoint: string, accept: string, more?: object][] = [
    ["reconstructions", decoder.id, "application/json"],
    ["reconstructions", decoder.id, "application/json", { include: ["images", "patches"] }],
    ["reconstructions", decoder.id, "image/png"],
    ["embeddings", encoder.id, "application/json"],
    ["classifications", head.id, "application/json"],
  ];
  for (const [route, checkpoint, accept, more] of questions) {
    const response = await api.post(`/v1/${route}`, { checkpoint, ...pictures, ...more }, { accept });
    const { errors } = await problemOf(response, 422);
    expect(errors.map(({ path }) => path)).toEqual(["checkpoint"]);
    expect(errors[0].message).toContain(checkpoint);
    expect(errors[0].message).toMatch(/not a finite number.*lower lr/);
  }
});

Deno.test("an error of the model names the field of the request that selects it", async () => {
  await using api = await TestApi.open();
  const mae = await api.model("mae", diverged("decoder.decoder_pred.weight"));
  const byJob = await api.post("/v1/reconstructions", { job: mae.jobId, ...pictures });
  expect((await problemOf(byJob, 422)).errors).toMatchObject([{ path: "job" }]);
  const damaged = await api.model("mae", () => new Uint8Array(100));
  const unread = await api.post("/v1/embeddings", { job: damaged.jobId, ...pictures });
  expect((await problemOf(unread, 409)).errors).toMatchObject([{ path: "job" }]);
});

Deno.test("finite predictions with a loss that is not finite give an error too", async () => {
  await using api = await TestApi.open();
  // 1e25 fits in float32, its square does not.
  const scaled = await api.model("mae", (file) => {
    const { tensors, metadata } = readSafetensors(file);
    const { shape, data } = tensors.get("decoder.decoder_pred.bias")!;
    const large = new Float32Array(data.length).fill(1e25);
    const bias = { dtype: "F32" as const, shape, data: large };
    return writeSafetensors(new Map([...tensors, ["decoder.decoder_pred.bias", bias]]), metadata);
  });
  const response = await api.post("/v1/reconstructions", { checkpoint: scaled.id, ...pictures });
  expect((await problemOf(response, 422)).errors[0].message).toContain("Infinity");
});
