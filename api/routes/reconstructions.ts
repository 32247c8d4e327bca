/**
 * `POST /v1/reconstructions`: masks images and reconstructs them, as a PNG triptych or as numbers.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { encodePng } from "../../data/images/encodePng.ts";
import { inputShapeOf } from "../../data/images/imageShape.ts";
import { renderTriptych, type TriptychRow } from "../../data/images/triptych.ts";
import { type MaeConfig, numPatches, patchDim } from "../../model/config.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Reconstruction } from "../inference/inference.ts";
import { reconstructionRows } from "../inference/reconstructionRows.ts";
import { checkMaskRatio } from "../requests/maskRatio.ts";
import {
  reconstructionFormSchema,
  reconstructionRequestSchema,
  reconstructionSchema,
} from "../schemas/inference.ts";
import type { Services } from "../services.ts";
import { addInferenceRoute } from "./inferenceRoute.ts";

type ReconstructionWire = z.output<typeof reconstructionSchema>;

/** Adds the route. */
export function addReconstructionRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addInferenceRoute(app, services, {
    path: "/v1/reconstructions",
    operationId: "createReconstruction",
    summary: "Mask images and reconstruct them",
    description:
      "With `Accept: image/png` the response shows the original, masked and reconstructed images side by side, one " +
      "row each.",
    model: "mae",
    requestSchema: reconstructionRequestSchema,
    formSchema: reconstructionFormSchema,
    response: {
      description: "The reconstruction",
      content: {
        "application/json": { schema: reconstructionSchema },
        "image/png": { schema: z.string().openapi({ format: "binary" }) },
      },
    },
    async handle({ request, checkpoint, images, preprocessing, signal }, context) {
      const { config } = checkpoint;
      const { imageSize, channels } = inputShapeOf(config);
      const maskRatio = request.mask_ratio ?? config.maskRatio;
      checkMaskRatio(config, maskRatio);
      const isPng = context.get("mediaType") === "image/png";
      const options = {
        maskRatio,
        seed: request.seed,
        withPatches: isPng || request.include.length > 0,
        signal,
      };
      const result = await services.inference.reconstruct(checkpoint, images, options);
      const rows = isPng || request.include.includes("images")
        ? reconstructionRows(config, images, result, request.paste_visible)
        : [];
      if (isPng) {
        const png = await renderTriptych(rows, imageSize, channels);
        return context.body(png, 200, { "content-type": "image/png" });
      }
      const data: ReconstructionWire["data"] = [];
      for (let index = 0; index < images.count; index++) {
        data.push(await imageWire(index, config, result, rows[index], request.include));
      }
      const body: ReconstructionWire = {
        object: "reconstruction",
        checkpoint: checkpoint.id,
        mask_ratio: maskRatio,
        seed: request.seed,
        loss: result.loss,
        ...preprocessing,
        data,
      };
      return context.json(body);
    },
  });
}

/** Returns the wire form of one image's reconstruction. */
async function imageWire(
  index: number,
  config: MaeConfig,
  result: Reconstruction,
  row: TriptychRow | undefined,
  include: readonly string[],
): Promise<ReconstructionWire["data"][number]> {
  const patches = numPatches(config), dim = patchDim(config);
  const [start, end] = [index * patches, (index + 1) * patches];
  return {
    index,
    loss: result.losses[index],
    mask: Array.from(result.mask.subarray(start, end)),
    ids_restore: Array.from(result.idsRestore.subarray(start, end)),
    ...(row !== undefined && {
      images: {
        original: await pngBase64(row.original, config),
        masked: await pngBase64(row.masked, config),
        reconstruction: await pngBase64(row.reconstruction, config),
      },
    }),
    ...(include.includes("patches") && {
      patches: Array.from({ length: patches }, (_, patch) => {
        const offset = (start + patch) * dim;
        return Array.from(result.pred.subarray(offset, offset + dim));
      }),
    }),
  };
}

async function pngBase64(pixels: Uint8Array, config: MaeConfig): Promise<string> {
  const { imageSize, channels } = inputShapeOf(config);
  return (await encodePng(pixels, imageSize, imageSize, channels)).toBase64();
}
