/**
 * `GET|HEAD /v1/checkpoints/{id}/content`: streams the safetensors file, or an export of it.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { ObjectNotFoundError, RangeNotSatisfiableError } from "../../data/objects/store.ts";
import type { FloatDtype } from "../../data/safetensors/fromFloat32.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { WEIGHTS_FORMATS } from "../../model/formats/format.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { negotiateMediaType } from "../http/negotiation.ts";
import { matchesEtag, parseRange } from "../http/ranges.ts";
import { header } from "../openapi/headers.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { checkpointParams } from "../schemas/ids.ts";
import { problems } from "../http/problemResponses.ts";
import { sendExport } from "../requests/exportedContent.ts";
import { requireCheckpoint } from "../requests/lookup.ts";

const SAFETENSORS = "application/octet-stream", ZIP = "application/zip";
const binary = { schema: z.string().openapi({ format: "binary" }) };

/** The types of values by their names in requests. */
const DTYPES = { f32: "F32", f16: "F16", bf16: "BF16" } as const satisfies Readonly<
  Record<string, FloatDtype>
>;

const required = { required: true };
const VERSION_HEADERS = {
  "ETag": header("The stored file's SHA-256, or another digest of an exported file, in quotes", required),
  "Last-Modified": header("When the checkpoint was stored", required),
  "Cache-Control": header(
    "The stored file never changes, so it may be cached; an export is revalidated",
    required,
  ),
};
const FILE_HEADERS = {
  "Accept-Ranges": header("`bytes` for the stored file, `none` for an export", required),
  "Content-Disposition": header("File name for a download", required),
};

/** Adds the route. */
export function addCheckpointContentRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "get",
    path: "/v1/checkpoints/{id}/content",
    operationId: "downloadCheckpoint",
    tags: ["Checkpoints"],
    summary: "Download or export a checkpoint",
    description:
      "By default the stored safetensors file, with the names and layouts of the tutorial's PyTorch `state_dict`. " +
      "`Range` (one range), `If-Range` and `If-None-Match` are supported for it, and the ETag is its SHA-256. " +
      "`format` exports the model to another library, and `dtype` rounds its values. An export is computed while it is " +
      "sent, so it has no ranges. A zip has `model.safetensors` and the JSON files of the format, uncompressed, and a " +
      "`README.txt` if the format cannot describe how images are prepared. 422 names `format` when it cannot express " +
      "the model, and `dtype` when a value is too large for it.",
    request: {
      params: checkpointParams,
      query: z.strictObject({
        format: z.enum(WEIGHTS_FORMATS).default("unmask").describe(
          "`unmask`: our names, one safetensors file. `huggingface`: a zip for `from_pretrained` of ViTMAE or ViT in " +
            "transformers. `meta`: a zip with the names of facebookresearch/mae. `timm`: a zip for " +
            "`timm.create_model('local-dir:FOLDER')`, of a classifier or an encoder, also the encoder of an MAE",
        ),
        dtype: z.enum(["f32", "f16", "bf16"]).default("f32").describe(
          "Type of the values: float32, float16 or bfloat16, rounded to nearest, ties to even",
        ),
      }),
      headers: z.object({
        "Range": z.string().optional().describe("The requested bytes, such as `bytes=1000-`"),
        "If-Range": z.string().optional().describe("An ETag: `Range` is ignored unless the file has it"),
        "If-None-Match": z.string().optional().describe(
          "ETags that the client has: 304 when the file has one of them",
        ),
      }),
    },
    responses: {
      200: {
        description: "The whole file",
        headers: { ...VERSION_HEADERS, ...FILE_HEADERS },
        content: { [SAFETENSORS]: binary, [ZIP]: binary },
      },
      206: {
        description: "The requested part of the stored file",
        headers: {
          ...VERSION_HEADERS,
          ...FILE_HEADERS,
          "Content-Range": header("`bytes FIRST-LAST/SIZE`", required),
        },
        content: { [SAFETENSORS]: binary },
      },
      304: { description: "The client already has the file", headers: VERSION_HEADERS },
      ...problems(409, 416),
    },
  }, async (context, { params, query: { format, dtype } }) => {
    const checkpoint = await requireCheckpoint(services, params.id);
    if (format === "unmask" && dtype === "f32") return await sendStored(context, services, checkpoint);
    await checkSize(services, checkpoint);
    return await sendExport(context, services, checkpoint, { format, dtype: DTYPES[dtype] });
  });
}

/** Responds with the stored file. @throws {ProblemError} 409 for a damaged file */
async function sendStored(
  context: Context<ApiEnv>,
  services: Services,
  checkpoint: Checkpoint,
): Promise<Response> {
  negotiateMediaType(context.req.header("accept"), [SAFETENSORS]);
  const etag = `"${checkpoint.sha256}"`;
  const headers: Record<string, string> = {
    etag,
    "cache-control": "private, max-age=31536000, immutable",
    "accept-ranges": "bytes",
    "last-modified": new Date(checkpoint.createdAt).toUTCString(),
  };
  if (matchesEtag(context.req.header("if-none-match"), etag)) return context.body(null, 304, headers);
  const isHead = context.req.method === "HEAD";
  const range = isHead
    ? null
    : parseRange(context.req.header("range"), context.req.header("if-range"), etag, checkpoint.size);
  Object.assign(headers, {
    "content-type": SAFETENSORS,
    "content-disposition": `attachment; filename="${checkpoint.id}.safetensors"`,
    "content-length": String(range === null ? checkpoint.size : range.end - range.start + 1),
  });
  if (range !== null) headers["content-range"] = `bytes ${range.start}-${range.end}/${checkpoint.size}`;
  const status = range === null ? 200 : 206;
  if (isHead) {
    await checkSize(services, checkpoint);
    return context.body(null, status, headers);
  }
  const object = await services.objects.get(checkpoint.objectKey, {
    range: range ?? undefined,
    signal: context.req.raw.signal,
  }).catch((error) => {
    throw error instanceof RangeNotSatisfiableError ? damagedFile(checkpoint, error.size) : error;
  });
  if (object.size !== checkpoint.size) {
    await object.body.cancel();
    throw damagedFile(checkpoint, object.size);
  }
  return context.body(object.body, status, headers);
}

/** Checks that the stored file exists and has its size. @throws {ObjectNotFoundError} @throws {ProblemError} 409 */
async function checkSize({ objects }: Services, checkpoint: Checkpoint): Promise<void> {
  const info = await objects.head(checkpoint.objectKey);
  if (info === null) throw new ObjectNotFoundError(checkpoint.objectKey);
  if (info.size !== checkpoint.size) throw damagedFile(checkpoint, info.size);
}

function damagedFile({ size }: Checkpoint, actualSize: number): ProblemError {
  return new ProblemError(409, `The stored file is damaged: it has ${actualSize} bytes, not ${size}`);
}
