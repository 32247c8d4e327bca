/**
 * Multipart uploads of large objects.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";
import type { S3Client } from "./client.ts";
import { createS3Error, S3Error, type S3Request } from "./request.ts";
import {
  completeBody,
  parseCompletedEtag,
  parseError,
  parseUploadId,
  parseUploadPage,
  type UploadPage,
} from "./xml.ts";

/** Bytes of a part. S3 allows 5 MiB to 5 GiB. Some servers require equal sizes for all parts but the last. */
export const PART_SIZE = 8 * 1024 * 1024;

/** S3's limit of the parts of an object. */
const MAX_PARTS = 10_000;

/** Parts that are sent in parallel. With the part that is being filled, they determine the memory used. */
const PARALLEL_PARTS = 4;

/** An object that was uploaded. */
export interface UploadedObject {
  /** Size in bytes. */
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
}

/** Headers of the requests that begin and end an upload. */
export interface UploadHeaders {
  /** Metadata of the object. */
  readonly create: Record<string, string>;
  /** Conditions. */
  readonly complete: Record<string, string>;
}

/**
 * Uploads parts and combines them into one object. After a failure the upload is aborted, so that nothing of it remains.
 * {@linkcode abortAbandonedUploads} aborts the uploads of killed processes.
 *
 * @param path full key in the bucket
 * @param parts each of `PART_SIZE` bytes; only the last may be shorter
 * @throws {S3Error} if S3 refuses; with status 412 if a condition fails
 */
export async function uploadParts(
  client: S3Client,
  path: string,
  parts: AsyncIterable<Bytes>,
  headers: UploadHeaders,
  signal?: AbortSignal,
): Promise<UploadedObject> {
  const uploadId = parseUploadId(
    await client.sendForText({
      method: "POST",
      path,
      query: { uploads: "" },
      headers: headers.create,
      signal,
    }),
  );
  try {
    const { etags, size } = await sendParts(client, path, uploadId, parts, signal);
    const request: S3Request = {
      method: "POST",
      path,
      query: { uploadId },
      headers: { ...headers.complete, "content-type": "application/xml" },
      body: completeBody(etags),
      signal,
    };
    const text = await client.sendForText(request);
    // S3 may send status 200 before the upload is complete, and report an error in the body.
    if (parseError(text)) throw createS3Error(client.settings.bucket, request, 200, text);
    return { size, etag: parseCompletedEtag(text) };
  } catch (error) {
    // An error of the abort is ignored, because the first error is more useful.
    await client.sendDelete({ method: "DELETE", path, query: { uploadId } }).catch(() => {});
    throw error;
  }
}

/** Age at which an incomplete upload belongs to a killed process, in milliseconds. */
const ABANDONED_MS = 24 * 3_600_000;

/**
 * Aborts multipart uploads that were begun at least a day ago and never completed. Their parts use space that listings
 * of objects do not show.
 *
 * @param prefix prefix of full keys in the bucket
 * @param now milliseconds since 1970
 * @returns number of uploads aborted
 * @throws {S3Error}
 */
export async function abortAbandonedUploads(client: S3Client, prefix: string, now: number): Promise<number> {
  let aborted = 0;
  let next: UploadPage["next"];
  do {
    const marker = next && { "key-marker": next.key, "upload-id-marker": next.uploadId };
    const query = { uploads: "", prefix, ...marker };
    const page = parseUploadPage(await client.sendForText({ method: "GET", path: "", query }));
    for (const { key: path, uploadId, startedAt } of page.uploads) {
      if (!path.startsWith(prefix) || now - startedAt.getTime() < ABANDONED_MS) continue;
      await client.sendDelete({ method: "DELETE", path, query: { uploadId } });
      aborted++;
    }
    next = page.next;
  } while (next);
  return aborted;
}

async function sendParts(
  client: S3Client,
  path: string,
  uploadId: string,
  parts: AsyncIterable<Bytes>,
  callerSignal?: AbortSignal,
): Promise<{ etags: string[]; size: number }> {
  const failed = new AbortController();
  const signal = callerSignal ? AbortSignal.any([callerSignal, failed.signal]) : failed.signal;
  const etags: string[] = [];
  const inFlight = new Set<Promise<void>>();
  let size = 0;
  try {
    let number = 0;
    for await (const body of parts) {
      number++;
      if (number > MAX_PARTS) {
        throw new RangeError(
          `An object in S3 must have at most ${MAX_PARTS * PART_SIZE} bytes: '${path}' is larger`,
        );
      }
      signal.throwIfAborted();
      size += body.length;
      const index = number - 1;
      const query = { partNumber: String(number), uploadId };
      const sent = sendPart(client, { method: "PUT", path, query, body, signal })
        .then((etag) => void (etags[index] = etag))
        .catch((error) => failed.abort(error))
        .finally(() => inFlight.delete(sent));
      inFlight.add(sent);
      if (inFlight.size >= PARALLEL_PARTS) await Promise.race(inFlight);
    }
  } catch (error) {
    failed.abort(error);
  }
  await Promise.all(inFlight);
  signal.throwIfAborted();
  return { etags, size };
}

async function sendPart(client: S3Client, request: S3Request): Promise<string> {
  const response = await client.send(request);
  const etag = response.response.headers.get("etag");
  if (response.response.status !== 200) throw await client.readError(request, response);
  await response.response.body?.cancel();
  if (!etag) throw new S3Error(`S3 accepted a part of '${request.path}' without an etag`, 200, "");
  return etag;
}
