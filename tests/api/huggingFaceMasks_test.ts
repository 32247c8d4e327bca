import { expect } from "expect";
import { encodePng } from "../../data/images/encodePng.ts";
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import { masksOf } from "../../api/requests/masks.ts";
import { reconstructionRequestSchema } from "../../api/schemas/reconstruction.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { planImport } from "../../model/formats/planImport.ts";
import { reconstructWith } from "../../model/prediction/inference.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { randomUint32 } from "../../model/random.ts";
import { converted, hasReference, readFolder, requestOf } from "../model/formats/files.ts";
import { TestApi } from "./fixtures.ts";

const SHARED = Deno.env.get("UNMASK_SHARED") ?? "../shared";
const IMAGES = 3, SIZE = 32, PATCHES = 16;

/** Imports a model of transformers, and reads its results. */
async function reference(name: string) {
  const file = await readFolder(name), plan = await planImport(requestOf(file));
  const { tensors } = readSafetensors(await Deno.readFile(`${SHARED}/reference/${name}/io.safetensors`));
  const of = (name: string) => [...tensors.get(name)!.data as Float32Array | Int32Array];
  const lists = (name: string) =>
    Array.from({ length: IMAGES }, (_, i) => of(name).slice(i * PATCHES, (i + 1) * PATCHES));
  // `pixel_values` are the input of the model, which the processor of transformers has normalised already.
  return { config: { ...plan.config, normalize: null }, weights: converted(plan, file.weights), of, lists };
}

for (const name of ["hf_vitmae", "hf_vitmae_norm_pix"]) {
  const ignore = !hasReference(name);

  Deno.test(`${name}: the same noise gives the same masks as in transformers`, { ignore }, async () => {
    const { config, weights, lists } = await reference(name);
    await using api = await TestApi.open();
    const { id } = await api.store({ config, weights });
    const pictures = await Promise.all(Array.from({ length: IMAGES }, async (_, seed) => {
      const pixels = Uint8Array.from(randomUint32({ seed, purpose: "image" }, SIZE * SIZE * 3));
      return (await encodePng(pixels, SIZE, SIZE, 3)).toBase64();
    }));
    const response = await api.post("/v1/reconstructions", {
      checkpoint: id,
      pictures,
      noise: lists("noise"),
    });
    expect(response.status).toBe(200);
    const { data } = await response.json();
    for (const field of ["mask", "ids_restore"]) {
      expect(data.map((image: Record<string, number[]>) => image[field])).toEqual(lists(field));
    }
  });

  Deno.test(
    `${name}: with this noise, predictions and loss equal those of transformers`,
    { ignore },
    async () => {
      const { config, weights, of, lists } = await reference(name);
      const request = reconstructionRequestSchema.parse({
        checkpoint: `ckpt_${"0".repeat(26)}`,
        pictures: ["AAAA"],
        noise: lists("noise"),
      });
      const { noise, maskRatio } = masksOf(config, request, IMAGES);
      const values = of("pixel_values"), area = SIZE * SIZE;
      // From [image, channel, row, column] to [image, row, column, channel].
      const pixels = Float32Array.from(values, (_, i) => {
        const image = Math.floor(i / (3 * area)), pixel = Math.floor(i / 3) % area, channel = i % 3;
        return values[(image * 3 + channel) * area + pixel];
      });
      const { planner } = await selectBackend("simd");
      const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
      const { pred, losses } = await reconstructWith(predictor, pixels, noise!, maskRatio);
      await predictor.dispose();
      const logits = of("logits");
      expect(pred.length).toBe(logits.length);
      pred.forEach((value, i) => expect(Math.abs(value - logits[i])).toBeLessThan(1e-5));
      expect(losses.reduce((a, b) => a + b) / IMAGES).toBeCloseTo(of("loss")[0], 5);
    },
  );
}
