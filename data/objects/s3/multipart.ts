/**
 * Large objects in parts.
 *
 * @module
 */
import { type Bytes } from "../parts.ts";
import { type S3Client, S3Error, type S3Request } from "./client.ts";
import {
  completeBody,
  parseCompletedEtag,
  parseError,
  parseUploadId,
  parseUploadPage,
  type UploadPage,
} from "./xml.ts";

/** Bytes of a part; S3 takes 5 MiB to 5 GiB, all but the last of one size on some servers. */
export const PART_SIZE = 8 * 1024 * 1024;

/** Most parts of an object, as S3 has it. */
export const MAX_PARTS = 10_000;

/** Parts on their way at once; with the one being filled, this times the part's size is the memory used. */
const PARTS_AT_ONCE = 4;

/** A finished upload. */
export interface Uploaded {
  /** Bytes. */
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
}

/**
 * Uploads parts and combines them into one object. On any failure the upload is aborted, so that nothing of it remains.
 * {@linkcode abortAbandoned} aborts the uploads of killed processes.
 *
 * @param path whole key in the bucket
 * @param parts each of `PART_SIZE` bytes but the last
 * @param created headers of the object (metadata)
 * @param completed headers of the last step (conditions)
 * @throws {S3Error} when S3 refuses; status 412 for a condition
 */
export async function uploadParts(
  client: S3Client,
  path: string,
  parts: AsyncIterable<Bytes>,
  created: Record<string, string>,
  completed: Record<string, string>,
  signal?: AbortSignal,
): Promise<Uploaded> {
  const start: S3Request = { method: "POST", path, query: { uploads: "" }, headers: created, signal };
  const uploadId = parseUploadId(await answerText(client, start));
  try {
    const { etags, size } = await sendParts(client, path, uploadId, parts, signal);
    const end: S3Request = {
      method: "POST",
      path,
      query: { uploadId },
      headers: { ...completed, "content-type": "application/xml" },
      body: completeBody(etags),
      signal,
    };
    const text = await answerText(client, end);
    // S3 may begin to answer 200 before it knows, and say so in the body.
    if (parseError(text)) throw client.refusal(end, 200, text);
    return { size, etag: parseCompletedEtag(text) };
  } catch (error) {
    await client.send({ method: "DELETE", path, query: { uploadId } })
      .then(({ response }) => response.body?.cancel())
      .catch(() => {}); // the first error says more
    throw error;
  }
}

/** Age at which an incomplete upload belongs to a killed process, in milliseconds. */
const ABANDONED_MS = 24 * 3_600_000;

/**
 * Aborts multipart uploads that were begun at least a day ago and never completed. Their parts take space that is not
 * quoted in listings of objects.
 *
 * @param prefix of the whole keys in the bucket
 * @param now milliseconds since 1970
 * @returns number of uploads aborted
 * @throws {S3Error} when S3 refuses
 */
export async function abortAbandoned(client: S3Client, prefix: string, now: number): Promise<number> {
  let aborted = 0;
  let next: UploadPage["next"];
  do {
    const marker = next && { "key-marker": next.key, "upload-id-marker": next.uploadId };
    const query = { uploads: "", prefix, ...marker };
    const page = parseUploadPage(await answerText(client, { method: "GET", path: "", query }));
    for (const { key: path, uploadId, startedAt } of page.uploads) {
      if (!path.startsWith(prefix) || now - startedAt.getTime() < ABANDONED_MS) continue;
      const request: S3Request = { method: "DELETE", path, query: { uploadId } };
      const answer = await client.send(request);
      if (![200, 204, 404].includes(answer.response.status)) throw await client.failure(request, answer);
      await answer.response.body?.cancel();
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
  outer?: AbortSignal,
): Promise<{ etags: string[]; size: number }> {
  const failed = new AbortController();
  const signal = outer ? AbortSignal.any([outer, failed.signal]) : failed.signal;
  const etags: string[] = [];
  const underWay = new Set<Promise<void>>();
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
        .finally(() => underWay.delete(sent));
      underWay.add(sent);
      if (underWay.size >= PARTS_AT_ONCE) await Promise.race(underWay);
    }
  } catch (error) {
    failed.abort(error);
  }
  await Promise.all(underWay);
  signal.throwIfAborted();
  return { etags, size };
}

async function sendPart(client: S3Client, request: S3Request): Promise<string> {
  const answer = await client.send(request);
  const etag = answer.response.headers.get("etag");
  if (answer.response.status !== 200) throw await client.failure(request, answer);
  await answer.response.body?.cancel();
  if (!etag) throw new S3Error(`S3 took a part of '${request.path}' without an etag`, 200, "");
  return etag;
}

async function answerText(client: S3Client, request: S3Request): Promise<string> {
  const answer = await client.send(request);
  if (answer.response.status !== 200) throw await client.failure(request, answer);
  return await client.text(answer);
}
