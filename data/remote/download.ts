/**
 * Downloads a file of a model. A broken download is resumed.
 *
 * @module
 */
import type { IncomingMessage } from "node:http";
import { jittered, pause } from "../backoff.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { HEAD_BYTES } from "../safetensors/otherFormats.ts";
import { IdleTimer } from "./idleTimer.ts";
import { RemoteError } from "./remoteError.ts";
import { get, IDLE_MS, type RemoteSettings } from "./request.ts";

/** Attempts without progress after which a download fails. */
const ATTEMPTS = 4;
/** Bytes that an attempt must receive to count as progress. */
const PROGRESS_BYTES = 64 * 1024;
/** Longest pause that a server can request with Retry-After, in milliseconds. */
const MAX_RETRY_AFTER_MS = 30_000;

/** What is downloaded. */
export interface DownloadOptions {
  /** Maximum size. */
  readonly maxBytes: number;
  /** The origin of the limit, for messages, such as "the limit of UNMASK_MAX_WEIGHTS_BYTES". */
  readonly limit: string;
  /** Checks the first bytes before the rest is downloaded. @throws to refuse the file */
  readonly checkHead?: (head: Uint8Array) => void;
  /** Checks the size that the server declares. @throws to refuse the file */
  readonly checkSize?: (bytes: number) => Promise<void>;
}

/** State of a download between attempts. */
interface Progress {
  size: number;
  /** Strong entity tag of the received bytes, without which they cannot be continued. */
  etag: string | null;
  total: number | null;
}

/**
 * Downloads a file to `path`.
 *
 * @returns its size in bytes
 * @throws {RemoteError} `missing` for status 404, `forbidden` for 401 and 403, `too_large`, `refused`, or `unavailable` after several attempts
 */
export async function download(
  url: URL,
  path: string,
  options: DownloadOptions,
  settings: RemoteSettings,
  signal: AbortSignal,
): Promise<number> {
  const progress: Progress = { size: 0, etag: null, total: null };
  for (let failures = 0;;) {
    const before = progress.size;
    try {
      await attempt(url, path, progress, options, settings, signal);
      return progress.size;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof RemoteError) || error.reason !== "unavailable") throw error;
      failures = progress.size - before >= PROGRESS_BYTES ? 1 : failures + 1;
      const { retryAfterMs } = error;
      if (failures >= ATTEMPTS || (retryAfterMs ?? 0) > MAX_RETRY_AFTER_MS) throw error;
      await pause(retryAfterMs ?? jittered((settings.retryMs ?? 1000) * 2 ** (failures - 1)), signal);
    }
  }
}

async function attempt(
  url: URL,
  path: string,
  progress: Progress,
  options: DownloadOptions,
  settings: RemoteSettings,
  signal: AbortSignal,
): Promise<void> {
  const idle = new IdleTimer(settings.idleMs ?? IDLE_MS, url);
  try {
    const resumes = progress.etag !== null && progress.size > 0;
    const headers: Record<string, string> = resumes
      ? { range: `bytes=${progress.size}-`, "if-range": progress.etag! }
      : {};
    const response = await get(url, headers, settings, AbortSignal.any([signal, idle.signal]));
    try {
      await startProgress(response, progress, options, resumes);
      await receive(response, path, progress, options, idle);
    } finally {
      response.destroy();
    }
  } catch (error) {
    signal.throwIfAborted();
    throw idle.signal.aborted ? idle.signal.reason : error;
  } finally {
    idle.clear();
  }
}

/** Checks status and headers, and sets the number of bytes to keep. @throws {RemoteError} */
async function startProgress(
  response: IncomingMessage,
  progress: Progress,
  { maxBytes, limit, checkSize }: DownloadOptions,
  resumes: boolean,
): Promise<void> {
  const { statusCode: status, headers } = response;
  const restart = (reason: string): never => {
    Object.assign(progress, { size: 0, etag: null, total: null });
    throw new RemoteError("unavailable", `cannot be fetched: the server ${reason}`);
  };
  if (status !== 200 && status !== 206) {
    if (status === 416) restart("responded with status 416");
    throw statusError(status ?? 0, headers["retry-after"]);
  }
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity") {
    throw new RemoteError(
      "refused",
      `must be sent unencoded: the server used Content-Encoding '${encoding.slice(0, 40)}'`,
    );
  }
  const length = headers["content-length"] === undefined ? null : Number(headers["content-length"]);
  if (status === 206) {
    const { size, total } = progress;
    const expected = total === null ? `bytes ${size}-` : `bytes ${size}-${total - 1}/${total}`;
    const matches = resumes && headers["content-range"]?.startsWith(expected) &&
      headers.etag === progress.etag;
    if (!matches) restart("sent another range than the requested one");
    return;
  }
  const etag = headers.etag?.startsWith('"') ? headers.etag : null;
  Object.assign(progress, { size: 0, etag, total: length });
  if (length !== null && length > maxBytes) throw tooLarge(`has ${length} bytes`, maxBytes, limit);
  if (length !== null) await checkSize?.(length);
}

async function receive(
  response: IncomingMessage,
  path: string,
  progress: Progress,
  { maxBytes, limit, checkHead }: DownloadOptions,
  idle: IdleTimer,
): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  await file.truncate(progress.size);
  await file.seek(progress.size, Deno.SeekMode.Start);
  let head: Bytes | null = progress.size === 0 && checkHead !== undefined ? new Uint8Array() : null;
  try {
    for await (const chunk of response as AsyncIterable<Uint8Array>) {
      idle.received(chunk.length);
      if (progress.size + chunk.length > maxBytes) {
        throw tooLarge(`is larger than ${maxBytes} bytes`, maxBytes, limit);
      }
      if (head !== null) {
        head = concatBytes([head, new Uint8Array(chunk.subarray(0, HEAD_BYTES))]);
        if (head.length >= HEAD_BYTES) {
          checkHead!(head.subarray(0, HEAD_BYTES));
          head = null;
        }
      }
      for (let offset = 0; offset < chunk.length;) offset += await file.write(chunk.subarray(offset));
      progress.size += chunk.length;
    }
  } catch (error) {
    if ((error as { code?: string }).code !== "ECONNRESET") throw error;
    throw closedEarly(progress, error);
  }
  if (!response.complete || (progress.total !== null && progress.size !== progress.total)) {
    throw closedEarly(progress);
  }
  if (head !== null) checkHead!(head);
}

function closedEarly({ size, total }: Progress, cause?: unknown): RemoteError {
  const of = total === null ? "" : ` of ${total}`;
  return new RemoteError(
    "unavailable",
    `cannot be fetched: the connection was closed after ${size}${of} bytes`,
    {
      cause,
    },
  );
}

function tooLarge(reason: string, maxBytes: number, limit: string): RemoteError {
  return new RemoteError("too_large", `must have at most ${maxBytes} bytes (${limit}): the file ${reason}`);
}

function statusError(status: number, retryAfter: string | undefined): RemoteError {
  if (status === 404 || status === 410) return new RemoteError("missing", `was not found (status ${status})`);
  if (status === 401 || status === 403) {
    return new RemoteError("forbidden", `is not public: the server responded with status ${status}`);
  }
  const message = `cannot be fetched: the server responded with status ${status}`;
  if (status !== 429 && status !== 408 && status < 500) return new RemoteError("refused", message);
  return new RemoteError("unavailable", message, { retryAfterMs: parseRetryAfter(retryAfter) });
}

/** Returns the milliseconds of a Retry-After, which has seconds or a date; undefined for another text. */
function parseRetryAfter(text = ""): number | undefined {
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Z][a-z]+, /.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
