/**
 * Responds with an export of a checkpoint.
 *
 * @module
 */
import type { Context } from "hono";
import type { Bytes } from "../../data/bytes.ts";
import { OverflowError } from "../../data/safetensors/fromFloat32.ts";
import { exportCheckpoint, type ExportOptions } from "../../jobs/artifacts/exportCheckpoint.ts";
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
 * @throws {ProblemError} 422 when the format cannot express the model or the type a value, 503 when too many exports run
 */
export async function sendExport(
  context: Context<ApiEnv>,
  services: Services,
  checkpoint: Checkpoint,
  options: ExportOptions,
): Promise<Response> {
  const file = await withFields(() => exportCheckpoint(services.objects, checkpoint, options));
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
  using running = new DisposableStack();
  running.use(services.exports.start());
  await withFields(() => file.check(context.req.raw.signal));
  Object.assign(headers, {
    "content-type": file.mediaType,
    "content-disposition": `attachment; filename="${file.filename}"`,
    "content-length": String(file.size),
  });
  if (context.req.method === "HEAD") return context.body(null, 200, headers);
  return context.body(streamOf(file.chunks(), running.move()), 200, headers);
}

/** Streams chunks. Disposes a resource after the last one, an error or a cancellation. */
function streamOf(chunks: AsyncIterable<Bytes>, resource: Disposable): ReadableStream<Bytes> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      let next: IteratorResult<Bytes>;
      try {
        next = await iterator.next();
      } catch (error) {
        resource[Symbol.dispose]();
        throw error;
      }
      if (!next.done) return controller.enqueue(next.value);
      resource[Symbol.dispose]();
      controller.close();
    },
    async cancel() {
      using _ended = resource;
      await iterator.return?.();
    },
  }, { highWaterMark: 0 });
}

async function withFields<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FormatError) throw fieldProblem(422, "format", error.message);
    if (error instanceof OverflowError) {
      throw fieldProblem(422, "dtype", `${error.message}: use bf16 or f32`);
    }
    throw error;
  }
}
