/**
 * Signed requests to an S3 server, with time limits and retries.
 *
 * @module
 */
import { AwsClient } from "aws4fetch";
import { type Bytes } from "../parts.ts";
import { parseError } from "./xml.ts";

/** Where a bucket is and who may use it. */
export interface S3Settings {
  /** The server, as `https://s3.eu-central-1.amazonaws.com`; buckets are the first part of the path. */
  readonly endpoint: string;
  /** As it is signed: `eu-central-1`. */
  readonly region: string;
  /** The bucket's name. */
  readonly bucket: string;
  /** Put before every key, without `/` at its ends; may be empty. */
  readonly prefix: string;
  /** Who signs. */
  readonly accessKeyId: string;
  /** Signs; never quoted. */
  readonly secretAccessKey: string;
  /** Sent with temporary keys. */
  readonly sessionToken?: string;
  /** What differs from the usual limits. */
  readonly patience?: Partial<S3Patience>;
}

/** How long and how often to try. Times in milliseconds. */
export interface S3Patience {
  /** Attempts of one request, the first among them. */
  readonly attempts: number;
  /** Longest pause before the second attempt; doubled before each later one, chosen at random from half to all. */
  readonly pause: number;
  /** From sending a request to its answer's first byte, the request's body included. */
  readonly answerWithin: number;
  /** The same for a request without a body. */
  readonly headersWithin: number;
  /** Longest time after the first attempt in which another one may begin, in milliseconds. */
  readonly retryWithin: number;
  /** Between two chunks of an answer's body. */
  readonly chunkWithin: number;
}

const PATIENCE: S3Patience = {
  attempts: 5,
  pause: 200,
  answerWithin: 60_000,
  headersWithin: 10_000,
  retryWithin: 8_000,
  chunkWithin: 30_000,
};

/** Longest pause between two attempts, whatever the server asks for, in milliseconds. */
const LONGEST_PAUSE = 20_000;

/** Most bytes of an XML answer. */
const LARGEST_TEXT = 16 * 1024 * 1024;

/** S3 refused a request or could not be reached. The message carries no secret. */
export class S3Error extends Error {
  /** Always this, as errors are told apart by it. */
  override readonly name = "S3Error";
  /**
   * An answer that is an error, or none.
   *
   * @param status HTTP status; 0 without an answer
   * @param code S3's name of the error; may be empty
   */
  constructor(message: string, readonly status: number, readonly code: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** One request. */
export interface S3Request {
  /** HTTP method. */
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Whole key in the bucket; empty for the bucket itself. */
  readonly path: string;
  /** Added to the URL, not yet encoded. */
  readonly query?: Record<string, string>;
  /** Signed with the request. */
  readonly headers?: Record<string, string>;
  /** Whole, as an attempt may have to be repeated. */
  readonly body?: Bytes | string;
  /** Ends the attempts, the pauses and the body. */
  readonly signal?: AbortSignal;
}

/** An answer whose body has not been read. */
export interface S3Answer {
  /** Its body must be read or cancelled. */
  readonly response: Response;
  /** Whether an earlier attempt may have taken effect without us hearing of it. */
  readonly retried: boolean;
  /** Ends the connection and the body. */
  abort(reason: unknown): void;
}

/** Sends requests to one bucket. */
export class S3Client {
  /** The limits in force. */
  readonly patience: S3Patience;
  readonly #aws: AwsClient;
  readonly #base: string;

  /** Sends nothing yet. */
  constructor(readonly settings: S3Settings) {
    this.patience = { ...PATIENCE, ...settings.patience };
    const { accessKeyId, secretAccessKey, sessionToken, region } = settings;
    this.#aws = new AwsClient({
      accessKeyId,
      secretAccessKey,
      sessionToken,
      region,
      service: "s3",
      retries: 0,
    });
    this.#base = `${settings.endpoint.replace(/\/+$/, "")}/${encodeSegment(settings.bucket)}`;
  }

  /**
   * Sends a request, again while the server is busy (429, 5xx) or cannot be reached. Other statuses are answers.
   *
   * @throws {S3Error} when the last attempt finds no server
   */
  async send(request: S3Request): Promise<S3Answer> {
    const began = performance.now();
    const { attempts, retryWithin } = this.patience;
    for (let attempt = 1;; attempt++) {
      request.signal?.throwIfAborted();
      let last = attempt >= attempts;
      let wait = 0;
      try {
        const { response, abort } = await this.#attempt(request);
        last ||= performance.now() - began > retryWithin;
        if (last || !(response.status >= 500 || response.status === 429)) {
          return { response, abort, retried: attempt > 1 };
        }
        await response.body?.cancel();
        wait = 1000 * (Number(response.headers.get("retry-after")) || 0);
      } catch (error) {
        request.signal?.throwIfAborted();
        last ||= performance.now() - began > retryWithin;
        if (last) {
          const { endpoint } = this.settings;
          throw new S3Error(
            `Cannot reach ${endpoint}: ${error instanceof Error ? error.message : error}`,
            0,
            "",
            { cause: error },
          );
        }
      }
      const most = this.patience.pause * 2 ** (attempt - 1);
      await pause(Math.min(LONGEST_PAUSE, Math.max(wait, most * (0.5 + Math.random() / 2))), request.signal);
    }
  }

  async #attempt(request: S3Request): Promise<{ response: Response; abort: (reason: unknown) => void }> {
    const stop = new AbortController();
    const { answerWithin, headersWithin } = this.patience;
    const within = request.body ? answerWithin : Math.min(answerWithin, headersWithin);
    const timer = setTimeout(
      () => stop.abort(new DOMException(`No answer within ${within} ms`, "TimeoutError")),
      within,
    );
    try {
      const query = new URLSearchParams(request.query).toString().replaceAll("+", "%20");
      const path = request.path.split("/").map(encodeSegment).join("/");
      const signed = await this.#aws.sign(
        `${this.#base}${path && "/"}${path}${query && "?"}${query}`,
        {
          method: request.method,
          headers: { ...request.headers, "x-amz-content-sha256": await sha256(request.body) },
          body: request.body,
        },
      );
      // Not signed, as proxies change it: what we ask for is the object's own bytes.
      signed.headers.set("accept-encoding", "identity");
      const signals = request.signal ? [stop.signal, request.signal] : [stop.signal];
      const response = await fetch(signed, { signal: AbortSignal.any(signals), redirect: "manual" });
      return { response, abort: (reason) => stop.abort(reason) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** The text of an answer. @throws {S3Error} when it is too long or does not come in time */
  async text({ response, abort }: S3Answer): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    const timer = setTimeout(
      () => abort(new DOMException("The answer stopped coming", "TimeoutError")),
      this.patience.answerWithin,
    );
    try {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true });
        if (text.length > LARGEST_TEXT) {
          throw new S3Error(`S3's answer is longer than ${LARGEST_TEXT} bytes`, response.status, "");
        }
      }
      return text + decoder.decode();
    } finally {
      clearTimeout(timer);
    }
  }

  /** The error an answer stands for, its body read. */
  async failure(request: S3Request, answer: S3Answer): Promise<S3Error> {
    const text = await this.text(answer).catch(() => "");
    return this.refusal(request, answer.response.status, text);
  }

  /** The error an answer's text stands for. */
  refusal({ method, path }: S3Request, status: number, text: string): S3Error {
    const { code, message } = parseError(text) ?? { code: "", message: "" };
    const what = `${method} s3://${this.settings.bucket}/${path}`;
    return new S3Error(`S3 answered ${[status, code].join(" ").trim()} to ${what}: ${message}`, status, code);
  }
}

/** Percent-encodes all but RFC 3986's unreserved characters, as the signature has it. */
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

function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onAbort = () => reject(signal!.reason);
  const timer = setTimeout(resolve, milliseconds);
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  });
}
