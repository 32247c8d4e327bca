/**
 * Object storage in a bucket of S3 or a server that speaks its protocol.
 *
 * @module
 */
import { ulid } from "ulid";
import { type Bytes, splitIntoParts } from "../parts.ts";
import { checkPrefix, checkRange, resolveRange } from "../range.ts";
import { readS3Body } from "./resumingBody.ts";
import { S3Client, S3Error, type S3Request, type S3Settings } from "./client.ts";
import { abortAbandoned, PART_SIZE, type Uploaded, uploadParts } from "./multipart.ts";
import { parseListPage, unquote } from "./xml.ts";
import {
  checkKey,
  type GetOptions,
  InvalidKeyError,
  type ObjectBody,
  ObjectExistsError,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
  RangeNotSatisfiableError,
} from "../store.ts";

/** Marks an object with the put that made it, so that a put whose answer was lost can know its own work. */
const PUT_HEADER = "x-amz-meta-unmask-put";

/**
 * Objects of an S3 bucket under a prefix. Bodies longer than a part go up in parts; what comes down is read on
 * where a connection breaks. Every method throws {@linkcode S3Error} when S3 refuses or cannot be reached.
 */
export class S3Store implements ObjectStore {
  readonly url: string;
  readonly #client: S3Client;
  readonly #prefix: string;

  /** Sends nothing yet. */
  constructor(settings: S3Settings) {
    this.#client = new S3Client(settings);
    this.#prefix = settings.prefix && settings.prefix + "/";
    this.url = `s3://${settings.bucket}${settings.prefix && "/"}${settings.prefix}`;
  }

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

  /** Opens an object; a range is asked of the server. */
  async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const path = this.#prefix + checkKey(key);
    const { signal } = options;
    if (options.range) checkRange(options.range);
    const send = (range: string | undefined, etag?: string) => {
      const headers = { ...(range && { range }), ...(etag && { "if-match": `"${etag}"` }) };
      const request: S3Request = { method: "GET", path, headers, signal };
      return this.#client.send(request).then((answer) => ({ request, answer }));
    };

    const { request, answer } = await send(options.range && rangeHeader(options.range));
    const { status, headers } = answer.response;
    if (status === 404) throw await this.#missing(key, request, answer);
    if (status === 416) {
      await answer.response.body?.cancel();
      throw new RangeNotSatisfiableError(key, (await this.head(key))?.size ?? 0);
    }
    if (status !== 200 && status !== 206) throw await this.#client.failure(request, answer);
    const part = contentRange(headers.get("content-range"));
    const size = part?.size ?? Number(headers.get("content-length") ?? NaN);
    if (!Number.isSafeInteger(size) || (status === 206) !== (part !== undefined)) {
      await answer.response.body?.cancel();
      throw new S3Error(`S3 answered ${status} for '${key}' without saying how many bytes`, status, "");
    }
    const info = infoOf(key, size, headers);
    try {
      // A server may answer a range with the whole object, and one from byte 0 of nothing with nothing.
      const range = options.range && resolveRange(key, size, options.range);
      if (range && part?.start !== range.start) {
        throw new S3Error(`S3 does not answer ranges: it sent other bytes of '${key}'`, status, "");
      }
      const wanted = range ?? { start: 0, end: size - 1 };
      const body = readS3Body(answer, wanted, async (remaining) => {
        const next = await send(rangeHeader(remaining), info.etag);
        if (next.answer.response.status === 206) return next.answer;
        throw await this.#client.failure(next.request, next.answer);
      }, { ...this.#client.patience, signal });
      return { ...info, body, ...(range && { range }) };
    } catch (error) {
      await answer.response.body?.cancel();
      throw error;
    }
  }

  async head(key: string): Promise<ObjectInfo | null> {
    return (await this.#head(key))?.info ?? null;
  }

  async *list(prefix: string, { after }: { after?: string } = {}): AsyncGenerator<ObjectInfo> {
    const within = this.#prefix + checkPrefix(prefix);
    const start: Record<string, string> = after ? { "start-after": this.#prefix + after } : {};
    let token: string | undefined;
    do {
      const place: Record<string, string> = token ? { "continuation-token": token } : start;
      const query = { "list-type": "2", prefix: within, ...place };
      const request: S3Request = { method: "GET", path: "", query };
      const answer = await this.#client.send(request);
      if (answer.response.status !== 200) throw await this.#client.failure(request, answer);
      const page = parseListPage(await this.#client.text(answer));
      for (const object of page.objects) {
        const key = object.key.slice(this.#prefix.length);
        if (object.key.startsWith(within) && isKey(key)) yield { ...object, key };
      }
      token = page.next;
    } while (token);
  }

  async delete(key: string): Promise<void> {
    const request: S3Request = { method: "DELETE", path: this.#prefix + checkKey(key) };
    const answer = await this.#client.send(request);
    if (![200, 204, 404].includes(answer.response.status)) throw await this.#client.failure(request, answer);
    await answer.response.body?.cancel();
  }

  /** Aborts the multipart uploads that were begun at least a day ago and never completed. */
  async sweep(now: number = Date.now()): Promise<number> {
    return await abortAbandoned(this.#client, this.#prefix, now);
  }

  async #put(key: string, body: Bytes | ReadableStream<Bytes>, options: PutOptions): Promise<ObjectInfo> {
    const path = this.#prefix + key;
    const { signal } = options;
    const mark = ulid();
    const created = { "content-type": "application/octet-stream", [PUT_HEADER]: mark };
    const condition: Record<string, string> = options.ifNoneMatch ? { "if-none-match": "*" } : {};
    const parts = splitIntoParts(body, PART_SIZE, signal);
    try {
      const first = (await parts.next()).value ?? new Uint8Array();
      let done: Uploaded;
      if (first.length < PART_SIZE) {
        done = await this.#putWhole(path, first, { ...created, ...condition }, signal);
      } else {
        if (options.ifNoneMatch && await this.head(key)) throw new ObjectExistsError(key);
        done = await uploadParts(this.#client, path, chain(first, parts), created, condition, signal);
      }
      return { key, ...done, modifiedAt: new Date() };
    } catch (error) {
      // 412 or 404 (no such upload) may also be the answer to a second attempt after a first that went through.
      if (!(error instanceof S3Error) || ![404, 409, 412].includes(error.status)) throw error;
      const found = await this.#head(key);
      if (found?.mark === mark) return found.info;
      if (error.status === 412 || (found && options.ifNoneMatch && error.status === 409)) {
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
  ): Promise<Uploaded> {
    const request: S3Request = { method: "PUT", path, headers, body, signal };
    const answer = await this.#client.send(request);
    if (answer.response.status !== 200) throw await this.#client.failure(request, answer);
    await answer.response.body?.cancel();
    return { size: body.length, etag: unquote(answer.response.headers.get("etag") ?? "") };
  }

  async #head(key: string): Promise<{ info: ObjectInfo; mark: string | null } | null> {
    const request: S3Request = { method: "HEAD", path: this.#prefix + checkKey(key) };
    const answer = await this.#client.send(request);
    const { status, headers } = answer.response;
    if (status === 404) return null;
    if (status !== 200) throw await this.#client.failure(request, answer);
    const size = Number(headers.get("content-length") ?? NaN);
    if (!Number.isSafeInteger(size)) throw new S3Error(`S3 does not say how large '${key}' is`, status, "");
    return { info: infoOf(key, size, headers), mark: headers.get(PUT_HEADER) };
  }

  async #missing(
    key: string,
    request: S3Request,
    answer: Parameters<S3Client["failure"]>[1],
  ): Promise<Error> {
    const error = await this.#client.failure(request, answer);
    // A bucket that is not there is a wrong setting, not a missing object.
    return error.code === "NoSuchBucket" ? error : new ObjectNotFoundError(key);
  }
}

function rangeHeader({ start, end }: { start: number; end?: number }): string {
  return `bytes=${start}-${end ?? ""}`;
}

function contentRange(header: string | null): { start: number; end: number; size: number } | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(header ?? "");
  return match ? { start: Number(match[1]), end: Number(match[2]), size: Number(match[3]) } : undefined;
}

function infoOf(key: string, size: number, headers: Headers): ObjectInfo {
  const modifiedAt = new Date(headers.get("last-modified") ?? 0);
  return { key, size, etag: unquote(headers.get("etag") ?? ""), modifiedAt };
}

/** Whether it could have been written by us; a bucket may hold other things too. */
function isKey(key: string): boolean {
  try {
    return checkKey(key) === key;
  } catch (error) {
    if (error instanceof InvalidKeyError) return false;
    throw error;
  }
}

async function* chain(first: Bytes, rest: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  yield first;
  yield* rest;
}
