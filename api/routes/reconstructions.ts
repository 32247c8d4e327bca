/**
 * `POST /v1/reconstructions`: the tutorial's triptych as PNG, or its numbers.
 *
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";
import { encodePng } from "../../data/images/encodePng.ts";
import { renderTriptych } from "../../data/images/triptych.ts";
import { type MaeConfig, numPatches, patchDim } from "../../model/config.ts";
import type { ApiEnv, Services } from "../http/context.ts";
import type { Reconstruction } from "../inference/inference.ts";
import { checkRatio } from "../requests/maskRatio.ts";
import { type ReconstructionRow, reconstructionRows, toBytes } from "../inference/reconstructionImages.ts";
import { withSubject } from "../requests/inference.ts";
import { fieldProblem } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import {
  reconstructionFormSchema,
  reconstructionRequestSchema,
  reconstructionSchema,
} from "../schemas/inference.ts";
import { problems } from "../schemas/problem.ts";

type Wire = z.output<typeof reconstructionSchema>;

async function pngBase64(values: Float32Array, config: MaeConfig): Promise<string> {
  const channels = config.inChannels as 1 | 3;
  return (await encodePng(toBytes(values), config.imageSize, config.imageSize, channels)).toBase64();
}

async function imageWire(
  index: number,
  config: MaeConfig,
  result: Reconstruction,
  row: ReconstructionRow,
  include: readonly string[],
): Promise<Wire["data"][number]> {
  const patches = numPatches(config);
  const dim = patchDim(config);
  const part = <T>(values: Iterable<T> & { slice(from: number, to: number): Iterable<T> }) =>
    Array.from(values.slice(index * patches, (index + 1) * patches));
  return {
    index,
    loss: result.losses[index],
    mask: part(result.mask),
    ids_restore: part(result.idsRestore),
    ...(include.includes("images") && {
      images: {
        original: await pngBase64(row.original, config),
        masked: await pngBase64(row.masked, config),
        reconstruction: await pngBase64(row.reconstruction, config),
      },
    }),
    ...(include.includes("patches") && {
      patches: Array.from({ length: patches }, (_, patch) => {
        const at = (index * patches + patch) * dim;
        return Array.from(result.pred.subarray(at, at + dim));
      }),
    }),
  };
}

/** Adds the route. */
export function addReconstructionRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "post",
    path: "/v1/reconstructions",
    operationId: "createReconstruction",
    tags: ["Models"],
    summary: "Mask images and reconstruct them",
    description:
      "`Accept: image/png` gives original, masked and reconstructed images side by side, one row each.",
    request: {
      body: {
        required: true,
        content: {
          "application/json": { schema: reconstructionRequestSchema },
          "multipart/form-data": { schema: reconstructionFormSchema },
        },
      },
    },
    responses: {
      200: {
        description: "The reconstruction",
        content: {
          "application/json": { schema: reconstructionSchema },
          "image/png": { schema: z.string().openapi({ format: "binary" }) },
        },
      },
      ...problems(409, 504),
    },
  }, (context) =>
    withSubject(services, context.req.raw, reconstructionRequestSchema, async (subject) => {
      const { input, checkpoint, pictures, treatment, signal } = subject;
      const { config } = checkpoint;
      if (checkpoint.model !== "mae") {
        const field = input.job === undefined ? "checkpoint" : "job";
        throw fieldProblem(422, field, "must be a masked autoencoder: this one is a classifier");
      }
      const ratio = input.mask_ratio ?? config.maskRatio;
      checkRatio(config, ratio);
      const options = { maskRatio: ratio, seed: input.seed, signal };
      const result = await services.inference.reconstruct(checkpoint, pictures, options);
      const rows = reconstructionRows(config, pictures, result, input.paste_visible);
      if (context.get("accepted") === "image/png") {
        const png = await renderTriptych(rows, config.imageSize, config.inChannels as 1 | 3);
        return context.body(png, 200, { "content-type": "image/png" });
      }
      const data: Wire["data"] = [];
      for (const [index, row] of rows.entries()) {
        data.push(await imageWire(index, config, result, row, input.include));
      }
      const answer: Wire = {
        object: "reconstruction",
        checkpoint: checkpoint.id,
        mask_ratio: ratio,
        seed: input.seed,
        loss: result.loss,
        ...treatment,
        data,
      };
      return context.json(answer);
    }));
}
