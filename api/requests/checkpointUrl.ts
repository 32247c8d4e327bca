/**
 * Downloads weights and imports them as a checkpoint.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import { freeBytesOf } from "../../data/freeSpace.ts";
import { fetchModel, type ModelLimits, type RemoteModel } from "../../data/remote/fetchModel.ts";
import { RemoteError } from "../../data/remote/remoteError.ts";
import { withDiskErrors, withTempFolder } from "../body/tempFolder.ts";
import { requestHash } from "../http/idempotency.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import { withTimeLimit } from "../http/timeLimit.ts";
import type { checkpointUrlSchema } from "../schemas/checkpointImport.ts";
import type { Services } from "../services.ts";
import { checkSpace, type Imported, importOnce } from "./checkpointImport.ts";

/** Maximum size of each JSON file of a model. */
export const MAX_JSON_BYTES = 8 * 2 ** 20;
/** Seconds after which a client may retry when a server failed. */
const RETRY_SECONDS = 30;
const STATUSES = { refused: 422, forbidden: 422, missing: 422, too_large: 413, unavailable: 503 } as const;

/**
 * Imports the weights at an address as a checkpoint.
 *
 * @param idempotencyKey requests with the same key and fields create one checkpoint
 * @throws {ProblemError} 422 for an address that is not allowed, and naming what cannot be imported; 413 for weights that
 * are too large; 503 without space, when the server fails, or when too many downloads run; 504 when the time is over
 */
export async function importUrl(
  services: Services,
  request: Request,
  fields: z.output<typeof checkpointUrlSchema>,
  idempotencyKey: string | undefined,
): Promise<Imported> {
  const { url, name, class_names: classNames, ...preprocessing } = fields, { limits, tempDir } = services;
  return await withTimeLimit(
    request,
    limits.uploadTotalMs + limits.uploadStoreMs,
    (signal) =>
      withTempFolder(tempDir, async (folder) => {
        using running = new DisposableStack();
        const open = async () => {
          running.use(services.downloads.start());
          const weights = await fetchWeights(services, url, folder, signal);
          return {
            weights,
            name,
            classNames,
            preprocessing,
            filename: weights.files[0].name,
            url: weights.url,
          };
        };
        return await importOnce(services, open, idempotencyKey, () => requestHash({ fields }), signal);
      }),
  );
}

/** Downloads weights to a folder. @throws {ProblemError} naming the field `url` */
async function fetchWeights(
  { limits, remote, stopping }: Services,
  url: string,
  folder: string,
  signal: AbortSignal,
): Promise<RemoteModel> {
  const modelLimits: ModelLimits = {
    weightsBytes: limits.weightsBytes,
    weightsFiles: limits.weightsFiles,
    jsonBytes: MAX_JSON_BYTES,
    checkSpace: async (bytes) => checkSpace(bytes, await freeBytesOf(folder), "The download"),
  };
  // `AbortSignal.timeout` would keep its memory for the whole time, also after a request that is refused at once.
  const timeLimit = new AbortController();
  const timer = setTimeout(() => timeLimit.abort(), limits.uploadTotalMs);
  try {
    return await withDiskErrors(() =>
      fetchModel(
        url,
        folder,
        modelLimits,
        remote ?? { hosts: [] },
        AbortSignal.any([signal, timeLimit.signal, stopping]),
      )
    );
  } catch (error) {
    signal.throwIfAborted();
    if (stopping.aborted) {
      throw new ProblemError(503, "The service is stopping: try again", { headers: { "retry-after": "5" } });
    }
    if (timeLimit.signal.aborted) {
      throw fieldProblem(504, "url", `took longer than ${limits.uploadTotalMs / 1000} s to be downloaded`);
    }
    if (!(error instanceof RemoteError)) throw error;
    const { reason, message, retryAfterMs } = error;
    const headers: Record<string, string> = reason === "unavailable"
      ? { "retry-after": String(Math.min(86_400, Math.ceil((retryAfterMs ?? 0) / 1000) || RETRY_SECONDS)) }
      : {};
    throw fieldProblem(STATUSES[reason], "url", message, { headers, cause: error });
  } finally {
    clearTimeout(timer);
  }
}
