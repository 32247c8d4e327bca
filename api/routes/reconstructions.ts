/**
 * `POST /v1/reconstructions`: masks images and reconstructs them, as a figure or as numbers.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { renderFigure } from "../../data/images/figure.ts";
import type { ApiEnv } from "../http/context.ts";
import { TITLES } from "../inference/figureColumns.ts";
import { reconstructionParts, requestedParts } from "../inference/reconstructionParts.ts";
import { reconstructionBody, reconstructionStream } from "../inference/reconstructionBody.ts";
import { checkAttention } from "../requests/attention.ts";
import { masksOf } from "../requests/masks.ts";
import { checkResponseSize, reconstructionBytes } from "../requests/responseSize.ts";
import {
  reconstructionFormSchema,
  reconstructionRequestSchema,
  reconstructionSchema,
} from "../schemas/reconstruction.ts";
import type { Services } from "../services.ts";
import { addInferenceRoute } from "./inferenceRoute.ts";

/** Estimated memory of the largest response that is built as a whole. Larger ones are built while they are sent. */
const MAX_UNSTREAMED_BYTES = 2 ** 22;

/** Adds the route. */
export function addReconstructionRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addInferenceRoute(app, services, {
    path: "/v1/reconstructions",
    operationId: "createReconstruction",
    summary: "Mask images and reconstruct them",
    description:
      "With `Accept: image/png` the response is a figure with one row for each image: the original, the masked image, " +
      "the reconstruction, and the reconstruction with the visible patches, or other `columns`.",
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
      const { config } = checkpoint, { columns } = request;
      const masks = masksOf(config, request, images.count);
      checkAttention(config, request);
      const isPng = context.get("mediaType") === "image/png";
      const bytesPerImage = reconstructionBytes(config, request, isPng);
      checkResponseSize(request, images.count, bytesPerImage, services.limits);
      const requested = requestedParts(request, isPng);
      const { prediction: withPatches, attention: withAttention } = requested;
      const { maskRatio, seed, masking, noise } = masks;
      const options = { maskRatio, seed, masking, noise, withPatches, withAttention, signal };
      const result = await services.inference.reconstruct(checkpoint, images, options);
      const parts = reconstructionParts(config, images, result, request, requested);
      if (isPng) {
        const captions = request.captions ? columns.map((column) => TITLES[column]) : null;
        const png = await renderFigure(parts.rows, config.imageSize, captions);
        return context.body(png, 200, { "content-type": "image/png" });
      }
      const completed = { checkpoint, request, masks, preprocessing, result, parts };
      if (images.count * bytesPerImage <= MAX_UNSTREAMED_BYTES) {
        return context.json(await reconstructionBody(completed));
      }
      return context.body(reconstructionStream(completed), 200, {
        "content-type": "application/json",
        "transfer-encoding": "chunked",
      });
    },
  });
}
