/**
 * Downloads files from mirrors. An interrupted download is resumed, and the checksum of each file is verified.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readContent } from "../compression/gzip.ts";
import { DatasetError, DatasetUnavailableError } from "../dataset.ts";

/** A file to download. */
export interface DownloadFile {
  readonly name: string;
  /** Maximum size in bytes. */
  readonly maxBytes: number;
  readonly checksum: {
    readonly algorithm: "md5" | "sha256";
    /** What the checksum covers: the served file, or its unpacked content. */
    readonly covers: "file" | "content";
    readonly hex: string;
  };
}

/** Maximum number of attempts for each mirror. */
const ATTEMPTS = 3;
/** Longest time without data from a mirror, in milliseconds. */
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Downloads a file to `path`. Unfinished data is kept in `path.part`.
 *
 * @param mirrors URLs that end in `/`, in the order in which they are tried
 * @throws {DatasetUnavailableError} if a mirror could not be reached or failed, so that a retry may succeed
 * @throws {DatasetError} if no mirror has the right file. Both messages contain the error of each mirror.
 */
export async function download(
  file: DownloadFile,
  mirrors: readonly string[],
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const part = `${path}.part`;
  const errors: string[] = [];
  let isTemporary = false;
  for (const mirror of mirrors) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      signal?.throwIfAborted();
      try {
        await fetchRemaining(new URL(file.name, mirror), part, file.maxBytes, signal);
        try {
          await verifyChecksum(part, file, signal);
        } catch (error) {
          // If the wrong file were kept, every later attempt would resume it.
          if (!signal?.aborted) await Deno.remove(part);
          throw new WrongFileError(error instanceof Error ? error.message : String(error), { cause: error });
        }
        await Deno.rename(part, path);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        errors.push(`${mirror}${file.name}: ${error instanceof Error ? error.message : String(error)}`);
        const isFinal = error instanceof MirrorError && error.isFinal;
        isTemporary ||= !isFinal && !(error instanceof WrongFileError);
        if (isFinal) break;
      }
    }
  }
  const message =
    `Cannot download ${file.name}: ${[...new Set(errors)].join("; ") || "no mirror is configured"}. ` +
    "Configure other mirrors, or upload the files as a data set";
  throw isTemporary ? new DatasetUnavailableError(message) : new DatasetError(message);
}

/** The mirror sent a file with another checksum or size. */
class WrongFileError extends Error {}

/** The response of a mirror cannot be used. */
class MirrorError extends Error {
  /** @param isFinal whether a retry would fail too */
  constructor(message: string, readonly isFinal: boolean) {
    super(message);
  }
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Appends the remaining bytes of a file to `part`, with a range request (RFC 9110, section 14). */
async function fetchRemaining(
  url: URL,
  part: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const start = await fileSize(part);
  const idle = new AbortController();
  const startTimer = () =>
    setTimeout(() => idle.abort(new Error("it stopped sending data")), IDLE_TIMEOUT_MS);
  let timer = startTimer();
  const response = await fetch(url, {
    // With another encoding, the range of a later response might not continue the first one.
    headers: { "accept-encoding": "identity", ...(start > 0 && { range: `bytes=${start}-` }) },
    signal: AbortSignal.any([idle.signal, ...(signal ? [signal] : [])]),
  });
  try {
    if (response.status === 416 && start > 0) return;
    const isResumed = response.status === 206 && start > 0 &&
      response.headers.get("content-range")?.startsWith(`bytes ${start}-`);
    if (!response.ok || (response.status === 206 && !isResumed)) {
      const isFinal = response.status >= 400 && response.status < 500;
      throw new MirrorError(`it responded with status ${response.status}`, isFinal);
    }
    using file = await Deno.open(part, {
      write: true,
      create: true,
      truncate: !isResumed,
      append: isResumed || undefined,
    });
    let size = isResumed ? start : 0;
    for await (const chunk of response.body!) {
      clearTimeout(timer);
      timer = startTimer();
      size += chunk.length;
      if (size > maxBytes) throw new MirrorError(`it sent more than ${maxBytes} bytes`, true);
      for (let offset = 0; offset < chunk.length;) offset += await file.write(chunk.subarray(offset));
    }
    const declared = Number(response.headers.get("content-length") ?? NaN);
    const received = size - (isResumed ? start : 0);
    if (Number.isFinite(declared) && received < declared) {
      throw new Error(`it closed the connection after ${size} bytes`);
    }
    await file.sync();
  } finally {
    clearTimeout(timer);
    await response.body?.cancel().catch(() => {});
  }
}

/** @throws {Error} with the difference to the expected file */
async function verifyChecksum(
  path: string,
  { checksum, name, maxBytes }: DownloadFile,
  signal?: AbortSignal,
): Promise<void> {
  const hash = createHash(checksum.algorithm);
  const file = { field: name, filename: name, path, size: await fileSize(path) };
  const chunks = checksum.covers === "content" ? readContent(file, signal) : createReadStream(path);
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    // MNIST unpacks to about five times its compressed size.
    if (size > 64 * maxBytes) throw new Error("it unpacks to far more than the expected size");
    hash.update(chunk);
  }
  if (hash.digest("hex") !== checksum.hex) throw new Error(`its ${checksum.algorithm} checksum is wrong`);
}
