/**
 * `POST /v1/checkpoints`: imports weights.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { readJson } from "../body/json.ts";
import type { ApiEnv } from "../http/context.ts";
import { IDEMPOTENCY_KEY, parseIdempotencyKey } from "../http/idempotency.ts";
import { ProblemError } from "../http/problem.ts";
import { problems } from "../http/problemResponses.ts";
import { addRoute } from "../http/route.ts";
import { validate } from "../http/validation.ts";
import { jsonContent } from "../openapi/content.ts";
import { header, location } from "../openapi/headers.ts";
import { linksTo } from "../openapi/links.ts";
import { importUrl } from "../requests/checkpointUrl.ts";
import { importUpload } from "../requests/checkpointUpload.ts";
import { checkpointSchema, checkpointWire } from "../schemas/checkpoint.ts";
import { checkpointUploadSchema, checkpointUrlSchema } from "../schemas/checkpointImport.ts";
import type { Services } from "../services.ts";

/** Adds the route. */
export function addCheckpointImportRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "post",
    path: "/v1/checkpoints",
    operationId: "importCheckpoint",
    tags: ["Checkpoints"],
    summary: "Import weights",
    description:
      "Weights as safetensors, with the names of this service (the tutorial's), of Hugging Face's ViTMAE and ViT, of " +
      "Meta's MAE or of timm's ViT. The names and shapes of all tensors are checked, F16, BF16 and F64 are converted to " +
      "F32, and values must be finite. `origin` has what the files lacked, and what was ignored and assumed; `uses` " +
      "lists what the checkpoint can be used for. With a JSON body, the service downloads the weights from a host that " +
      "its setting `UNMASK_FETCH_HOSTS` allows.",
    request: {
      headers: z.object({
        "Idempotency-Key": z.string().optional().openapi({
          pattern: IDEMPOTENCY_KEY.source,
          description:
            "An upload repeated with the same key, fields and files within 24 hours returns the same checkpoint, " +
            "unless it was deleted",
        }),
      }),
      body: {
        required: true,
        content: {
          ...jsonContent(checkpointUrlSchema),
          "multipart/form-data": { schema: checkpointUploadSchema },
        },
      },
    },
    responses: {
      201: {
        description: "Checked and stored",
        headers: {
          ...location("checkpoint"),
          "Idempotency-Replayed": header(
            "`true` when an earlier request with this key created the checkpoint",
          ),
        },
        content: jsonContent(checkpointSchema),
        links: linksTo("getCheckpoint", "downloadCheckpoint", "deleteCheckpoint"),
      },
      ...problems(409, 504),
    },
  }, async (context) => {
    const key = parseIdempotencyKey(context.req.header("idempotency-key"));
    const { raw } = context.req, type = raw.headers.get("content-type") ?? "";
    const isJson = /^application\/json\b/i.test(type);
    if (!isJson && !/^multipart\/form-data\b/i.test(type)) {
      throw new ProblemError(
        415,
        "Content-Type must be multipart/form-data for an upload, or application/json for a download: current value is " +
          `'${type.slice(0, 80)}'`,
      );
    }
    const { checkpoint, created } = isJson
      ? await importUrl(
        services,
        raw,
        validate(checkpointUrlSchema, await readJson(raw, services.limits)),
        key,
      )
      : await importUpload(services, raw, key);
    if (!created) context.header("idempotency-replayed", "true");
    context.header("location", `/v1/checkpoints/${checkpoint.id}`);
    return context.json(checkpointWire(checkpoint), 201);
  });
}
