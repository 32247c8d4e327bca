/**
 * Object storage in a bucket of S3, or of another server with the same protocol.
 *
 * @module
 */
import { ulid } from "ulid";
import type { Bytes } from "../../bytes.ts";
import { checkKey, checkPrefix, isKey } from "../keys.ts";
import { splitIntoParts } from "../parts.ts";
import { checkRange, resolveRange } from "../range.ts";
import {
  type GetOptions,
  type ObjectBody,
  ObjectExistsError,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
  RangeNotSatisfiableError,
} from "../store.ts";
import { S3Client } from "./client.ts";
import { abortAbandonedUploads, PART_SIZE, type UploadedObject, uploadParts } from "./multipart.ts";
import { S3Error, type S3Request, type S3Response } from "./request.ts";
import { readResumingBody } from "./resumingBody.ts";
import type { S3Settings } from "./settings.ts";
import { parseListPage, unquote } from "./xml.ts";

/** Metadata with the id of the put, so that a put whose response was lost can recognise its own object. */
const PUT_HEADER = "x-amz-meta-unmask-put";

/**
 * Objects of an S3 bucket under a prefix. A body that is longer than a part is sent as a multipart upload. A read
 * continues on a new connection if the connection breaks. Every method throws {@linkcode S3Error} if S3 refuses or
 * cannot be reached.
 */
export class S3Store implements ObjectStore {
  readonly url: string;
  readonly #client: S3Client;
  readonly #prefix: string;

  /** Creates a store without sending a request. */
  constructor(settings: S3Settings) {
    this.#client = new S3Client(settings);
    this.#prefix = settings.prefix && settings.prefix + "/";
    this.url = `s3://${settings.bucket}${settings.prefix && "/"}${settings.prefix}`;
  }

  /** @inheritdoc */
  async put(key: string, body: Bytes | ReadableStream<Bytes>, options: PutOptions = {}): Promise<ObjectInfo> {
    try {
      checkKey(key);
      options.signal?.throwIfAborted();
      return await this.#put(key, body, options);
    } catch (error) {
      if (body instanceof ReadableStream && !body.locked) await body.cancel(error).catch(() => {});
      throw error;
    }
  }

  /** @inheritdoc */
  async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const path = this.#prefix + checkKey(key);
    const { signal } = options;
    if (options.range) checkRange(options.range);
    const send = async (range: string | undefined, etag?: string) => {
      const headers = { ...(range && { range }), ...(etag && { "if-match": `"${etag}"` }) };
      const request: S3Request = { method: "GET", path, headers, signal };
      return { request, response: await this.#client.send(request) };
    };

    const { request, response } = await send(options.range && rangeHeader(options.range));
    const { status, headers, body } = response.response;
    if (status === 404) throw await this.#notFound(key, request, response);
    if (status === 416) {
      await body?.cancel();
      throw new RangeNotSatisfiableError(key, (await this.head(key))?.size ?? 0);
    }
    if (status !== 200 && status !== 206) throw await this.#client.readError(request, response);
    try {
      const contentRange = parseContentRange(headers.get("content-range"));
      const size = contentRange?.size ?? Number(headers.get("content-length") ?? NaN);
      if (!Number.isSafeInteger(size) || (status === 206) !== (contentRange !== undefined)) {
        throw new S3Error(`S3 responded with ${status} for '${key}' without its size`, status, "");
      }
      const info = infoOf(key, size, headers);
      // A server may send the whole object for a range that begins at byte 0.
      const range = options.range && resolveRange(key, size, options.range);
      if (range && contentRange?.start !== range.start) {
        throw new S3Error(`The server does not support ranges: it sent other bytes of '${key}'`, status, "");
      }
      const requested = range ?? { start: 0, end: size - 1 };
      const resumed = readResumingBody(response, requested, async (remaining) => {
        const next = await send(rangeHeader(remaining), info.etag);
        if (next.response.response.status === 206) return next.response;
        throw await this.#client.readError(next.request, next.response);
      }, { ...this.#client.retryPolicy, signal });
      return { ...info, body: resumed, ...(range && { range }) };
    } catch (error) {
      await body?.cancel();
      throw error;
    }
  }

  /** @inheritdoc */
  async head(key: string): Promise<ObjectInfo | null> {
    return (await this.#head(key))?.info ?? null;
  }

  /** @inheritdoc */
  async *list(prefix: string, { after }: { after?: string } = {}): AsyncGenerator<ObjectInfo> {
    const fullPrefix = this.#prefix + checkPrefix(prefix);
    let cursor: Record<string, string> = after ? { "start-after": this.#prefix + after } : {};
    for (;;) {
      const query = { "list-type": "2", prefix: fullPrefix, ...cursor };
      const page = parseListPage(await this.#client.sendForText({ method: "GET", path: "", query }));
      for (const object of page.objects) {
        const key = object.key.slice(this.#prefix.length);
        // A bucket may contain other objects, whose keys need not be valid here.
        if (object.key.startsWith(fullPrefix) && isKey(key)) yield { ...object, key };
      }
      if (!page.next) return;
      cursor = { "continuation-token": page.next };
    }
  }

  /** @inheritdoc */
  async delete(key: string): Promise<void> {
    await this.#client.sendDelete({ method: "DELETE", path: this.#prefix + checkKey(key) });
  }

  /** Aborts the multipart uploads that were begun at least a day ago and never completed. */
  async sweep(now: number = Date.now()): Promise<number> {
    return await abortAbandonedUploads(this.#client, this.#prefix, now);
  }

  async #put(key: string, body: Bytes | ReadableStream<Bytes>, options: PutOptions): Promise<ObjectInfo> {
    const path = this.#prefix + key;
    const { signal } = options;
    const putId = ulid();
    const metadata = { "content-type": "application/octet-stream", [PUT_HEADER]: putId };
    const condition: Record<string, string> = options.ifNoneMatch ? { "if-none-match": "*" } : {};
    const parts = splitIntoParts(body, PART_SIZE, signal);
    try {
      const first = (await parts.next()).value ?? new Uint8Array();
      let uploaded: UploadedObject;
      if (first.length < PART_SIZE) {
        uploaded = await this.#putWhole(path, first, { ...metadata, ...condition }, signal);
      } else {
        if (options.ifNoneMatch && await this.head(key)) throw new ObjectExistsError(key);
        const headers = { create: metadata, complete: condition };
        uploaded = await uploadParts(this.#client, path, prepend(first, parts), headers, signal);
      }
      return { key, ...uploaded, modifiedAt: new Date() };
    } catch (error) {
      // After a request has succeeded, S3 responds to its retry with 412, or with 404 (no such upload).
      if (!(error instanceof S3Error) || ![404, 409, 412].includes(error.status)) throw error;
      const stored = await this.#head(key);
      if (stored?.putId === putId) return stored.info;
      if (error.status === 412 || (stored && options.ifNoneMatch && error.status === 409)) {
        throw new ObjectExistsError(key);
      }
      throw error;
    } finally {
      await parts.return(undefined);
    }
  }

  async #putWhole(
    path: string,
    body: Bytes,
    headers: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<UploadedObject> {
    const request: S3Request = { method: "PUT", path, headers, body, signal };
    const response = await this.#client.send(request);
    if (response.response.status !== 200) throw await this.#client.readError(request, response);
    await response.response.body?.cancel();
    return { size: body.length, etag: unquote(response.response.headers.get("etag") ?? "") };
  }

  async #head(key: string): Promise<{ info: ObjectInfo; putId: string | null } | null> {
    const request: S3Request = { method: "HEAD", path: this.#prefix + checkKey(key) };
    const response = await this.#client.send(request);
    const { status, headers } = response.response;
    if (status === 404) return null;
    if (status !== 200) throw await this.#client.readError(request, response);
    const size = Number(headers.get("content-length") ?? NaN);
    if (!Number.isSafeInteger(size)) throw new S3Error(`S3 did not send the size of '${key}'`, status, "");
    return { info: infoOf(key, size, headers), putId: headers.get(PUT_HEADER) };
  }

  async #notFound(key: string, request: S3Request, response: S3Response): Promise<Error> {
    const error = await this.#client.readError(request, response);
    // A missing bucket is a wrong setting, not a missing object.
    return error.code === "NoSuchBucket" ? error : new ObjectNotFoundError(key);
  }
}

function rangeHeader({ start, end }: { start: number; end?: number }): string {
  return `bytes=${start}-${end ?? ""}`;
}

function parseContentRange(header: string | null): { start: number; size: number } | undefined {
  const match = /^bytes (\d+)-\d+\/(\d+)$/.exec(header ?? "");
  return match ? { start: Number(match[1]), size: Number(match[2]) } : undefined;
}

function infoOf(key: string, size: number, headers: Headers): ObjectInfo {
  const modifiedAt = new Date(headers.get("last-modified") ?? 0);
  return { key, size, etag: unquote(headers.get("etag") ?? ""), modifiedAt };
}

async function* prepend(first: Bytes, rest: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  yield first;
  yield* rest;
}
