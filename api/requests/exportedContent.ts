/**
 * Responds with an export of a checkpoint.
 *
 * @module
 */
import type { Context } from "hono";
import { OverflowError } from "../../data/safetensors/fromFloat32.ts";
import {
  exportCheckpoint,
  type ExportedFile,
  type ExportOptions,
} from "../../jobs/artifacts/exportCheckpoint.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { FormatError } from "../../model/formats/format.ts";
import type { ApiEnv } from "../http/context.ts";
import { negotiateMediaType } from "../http/negotiation.ts";
import { fieldProblem } from "../http/problem.ts";
import { matchesEtag } from "../http/ranges.ts";
import type { Services } from "../services.ts";

/**
 * Responds with an exported file, which is computed while it is sent. If the stored file turns out to be damaged then,
 * the connection is closed before the last bytes.
 *
 * @throws {ProblemError} 422 when the format cannot express the model or the type a value
 */
export async function sendExport(
  context: Context<ApiEnv>,
  services: Services,
  checkpoint: Checkpoint,
  options: ExportOptions,
): Promise<Response> {
  const file = await prepare(services, checkpoint, options);
  negotiateMediaType(context.req.header("accept"), [file.mediaType]);
  const etag = `"${file.digest}"`;
  const headers: Record<string, string> = {
    etag,
    // A later version of the service may export other bytes.
    "cache-control": "private, no-cache",
    "accept-ranges": "none",
    "last-modified": new Date(checkpoint.createdAt).toUTCString(),
  };
  if (matchesEtag(context.req.header("if-none-match"), etag)) return context.body(null, 304, headers);
  Object.assign(headers, {
    "content-type": file.mediaType,
    "content-disposition": `attachment; filename="${file.filename}"`,
    "content-length": String(file.size),
  });
  if (context.req.method === "HEAD") return context.body(null, 200, headers);
  return context.body(ReadableStream.from(file.chunks()), 200, headers);
}

async function prepare(
  { objects }: Services,
  checkpoint: Checkpoint,
  options: ExportOptions,
): Promise<ExportedFile> {
  try {
    return await exportCheckpoint(objects, checkpoint, options);
  } catch (error) {
    if (error instanceof FormatError) throw fieldProblem(422, "format", error.message);
    if (error instanceof OverflowError) {
      throw fieldProblem(422, "dtype", `${error.message}: use bf16 or f32`);
    }
    throw error;
  }
}
