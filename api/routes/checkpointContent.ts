/**
 * `GET|HEAD /v1/checkpoints/{id}/content`: streams the safetensors file.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { ObjectNotFoundError, RangeNotSatisfiableError } from "../../data/objects/store.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { matchesEtag, parseRange } from "../http/ranges.ts";
import { header } from "../openapi/headers.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { checkpointParams } from "../schemas/ids.ts";
import { problems } from "../http/problemResponses.ts";
import { requireCheckpoint } from "../requests/lookup.ts";

const CONTENT = { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } };

const required = { required: true };
const VERSION_HEADERS = {
  "ETag": header("The file's SHA-256 in quotes", required),
  "Last-Modified": header("When the file was stored", required),
  "Cache-Control": header("The file never changes, so it may be cached", required),
};
const FILE_HEADERS = {
  "Accept-Ranges": header("`bytes`", required),
  "Content-Disposition": header("File name for a download", required),
};

/** Adds the route. */
export function addCheckpointContentRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  addRoute(app, {
    method: "get",
    path: "/v1/checkpoints/{id}/content",
    operationId: "downloadCheckpoint",
    tags: ["Checkpoints"],
    summary: "Download a checkpoint",
    description:
      "A safetensors file with the names and layouts of the PyTorch model's `state_dict`. `Range` (one range), " +
      "`If-Range` and `If-None-Match` are supported. The ETag is the file's SHA-256.",
    request: {
      params: checkpointParams,
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
        content: CONTENT,
      },
      206: {
        description: "The requested part",
        headers: {
          ...VERSION_HEADERS,
          ...FILE_HEADERS,
          "Content-Range": header("`bytes FIRST-LAST/SIZE`", required),
        },
        content: CONTENT,
      },
      304: { description: "The client already has the file", headers: VERSION_HEADERS },
      ...problems(409, 416),
    },
  }, async (context, { params }) => {
    const checkpoint = await requireCheckpoint(services, params.id);
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
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename="${checkpoint.id}.safetensors"`,
      "content-length": String(range === null ? checkpoint.size : range.end - range.start + 1),
    });
    if (range !== null) headers["content-range"] = `bytes ${range.start}-${range.end}/${checkpoint.size}`;
    const status = range === null ? 200 : 206;
    if (isHead) {
      const info = await services.objects.head(checkpoint.objectKey);
      if (info === null) throw new ObjectNotFoundError(checkpoint.objectKey);
      if (info.size !== checkpoint.size) throw damagedFile(checkpoint, info.size);
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
  });
}

function damagedFile({ size }: Checkpoint, actualSize: number): ProblemError {
  return new ProblemError(409, `The stored file is damaged: it has ${actualSize} bytes, not ${size}`);
}
