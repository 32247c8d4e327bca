/**
 * Signed requests to an S3 server, with time limits and retries.
 *
 * @module
 */
import { AwsClient } from "aws4fetch";
import { jittered, pause } from "../../backoff.ts";
import type { Bytes } from "../../bytes.ts";
import { createS3Error, S3Error, type S3Request, type S3Response } from "./request.ts";
import { DEFAULT_RETRY_POLICY, type S3RetryPolicy, type S3Settings } from "./settings.ts";

/** Longest pause between two attempts in milliseconds. It also limits the server's `Retry-After`. */
const MAX_PAUSE_MS = 20_000;

/** Largest XML response in bytes. */
const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** Sends requests to one bucket. */
export class S3Client {
  readonly retryPolicy: S3RetryPolicy;
  readonly #aws: AwsClient;
  readonly #bucketUrl: string;

  constructor(readonly settings: S3Settings) {
    this.retryPolicy = { ...DEFAULT_RETRY_POLICY, ...settings.retryPolicy };
    const { accessKeyId, secretAccessKey, sessionToken, region } = settings;
    this.#aws = new AwsClient({
      accessKeyId,
      secretAccessKey,
      sessionToken,
      region,
      service: "s3",
      retries: 0,
    });
    this.#bucketUrl = `${settings.endpoint.replace(/\/+$/, "")}/${encodeSegment(settings.bucket)}`;
  }

  /**
   * Sends a request. It is sent again if the server is busy (429, 5xx) or cannot be reached. Responses of any other
   * status are returned.
   *
   * @throws {S3Error} if the last attempt does not reach the server
   */
  async send(request: S3Request): Promise<S3Response> {
    const start = performance.now();
    const { maxAttempts, retryWindowMs, backoffMs } = this.retryPolicy;
    for (let attempt = 1;; attempt++) {
      request.signal?.throwIfAborted();
      const isLast = () => attempt >= maxAttempts || performance.now() - start > retryWindowMs;
      let retryAfterMs = 0;
      try {
        const response = await this.#attempt(request);
        const { status, headers, body } = response.response;
        if (isLast() || !(status >= 500 || status === 429)) return response;
        await body?.cancel();
        retryAfterMs = 1000 * (Number(headers.get("retry-after")) || 0);
      } catch (error) {
        request.signal?.throwIfAborted();
        if (isLast()) {
          const reason = error instanceof Error ? error.message : error;
          throw new S3Error(`Cannot reach ${this.settings.endpoint}: ${reason}`, 0, "", { cause: error });
        }
      }
      const pauseMs = Math.max(retryAfterMs, jittered(backoffMs * 2 ** (attempt - 1)));
      await pause(Math.min(MAX_PAUSE_MS, pauseMs), request.signal);
    }
  }

  async #attempt(request: S3Request): Promise<S3Response> {
    const controller = new AbortController();
    const { responseTimeoutMs, headersTimeoutMs } = this.retryPolicy;
    const timeoutMs = request.body ? responseTimeoutMs : Math.min(responseTimeoutMs, headersTimeoutMs);
    const timer = setTimeout(
      () => controller.abort(new DOMException(`No response within ${timeoutMs} ms`, "TimeoutError")),
      timeoutMs,
    );
    try {
      const query = new URLSearchParams(request.query).toString().replaceAll("+", "%20");
      const path = request.path.split("/").map(encodeSegment).join("/");
      const signed = await this.#aws.sign(
        `${this.#bucketUrl}${path && "/"}${path}${query && "?"}${query}`,
        {
          method: request.method,
          headers: { ...request.headers, "x-amz-content-sha256": await sha256(request.body) },
          body: request.body,
        },
      );
      // `identity` requests the bytes without compression. The header is not signed, because proxies may change it.
      signed.headers.set("accept-encoding", "identity");
      const signals = request.signal ? [controller.signal, request.signal] : [controller.signal];
      const response = await fetch(signed, { signal: AbortSignal.any(signals), redirect: "manual" });
      return { response, abort: (reason) => controller.abort(reason) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Reads a response as text. @throws {S3Error} if it is too long or too slow */
  async text({ response, abort }: S3Response): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    const timer = setTimeout(
      () => abort(new DOMException("The response was not complete in time", "TimeoutError")),
      this.retryPolicy.responseTimeoutMs,
    );
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        if (text.length > MAX_TEXT_BYTES) {
          throw new S3Error(`S3's response is longer than ${MAX_TEXT_BYTES} bytes`, response.status, "");
        }
      }
      return text + decoder.decode();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a request for an XML document. @throws {S3Error} for any other status than 200 */
  async sendForText(request: S3Request): Promise<string> {
    const response = await this.send(request);
    if (response.response.status !== 200) throw await this.readError(request, response);
    return await this.text(response);
  }

  /** Sends a DELETE. A missing target is not an error. @throws {S3Error} */
  async sendDelete(request: S3Request): Promise<void> {
    const response = await this.send({ ...request, method: "DELETE" });
    if (![200, 204, 404].includes(response.response.status)) throw await this.readError(request, response);
    await response.response.body?.cancel();
  }

  /** Reads the body of a response that reports an error, and returns the error. */
  async readError(request: S3Request, response: S3Response): Promise<S3Error> {
    const text = await this.text(response).catch(() => "");
    return createS3Error(this.settings.bucket, request, response.response.status, text);
  }
}

/** Percent-encodes everything but the unreserved characters of RFC 3986, as the signature requires. */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function sha256(body: Bytes | string = ""): Promise<string> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
