/**
 * Files from mirrors: resumed where they broke off, and taken only when their checksum is right.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { DatasetError, DatasetUnavailableError } from "../dataset.ts";
import { content } from "../compression/gzip.ts";

/** A file to be had, and what it must be. */
export interface Resource {
  readonly name: string;
  /** Most bytes taken. */
  readonly most: number;
  /** A checksum of the file as it is served, or of what it holds once unpacked. */
  readonly checksum: {
    readonly algorithm: "md5" | "sha256";
    readonly of: "file" | "content";
    readonly hex: string;
  };
}

/** Tries of each mirror. */
const TRIES = 3;
/** Longest silence of a mirror, in milliseconds. */
const IDLE_MS = 30_000;

/**
 * Downloads a file to `path`, going on from `path.part` when that is there.
 *
 * @param mirrors addresses that end in `/`, tried in turn
 * @throws {DatasetUnavailableError} when a mirror could not be reached or failed, so that a retry may succeed
 * @throws {DatasetError} when no mirror has the right file; both messages have the error of each mirror
 */
export async function download(
  resource: Resource,
  mirrors: readonly string[],
  path: string,
  signal?: AbortSignal,
): Promise<void> {
  const part = `${path}.part`;
  const faults: string[] = [];
  let mayPass = false;
  for (const mirror of mirrors) {
    for (let turn = 0; turn < TRIES; turn++) {
      signal?.throwIfAborted();
      try {
        await fetchInto(new URL(resource.name, mirror), part, resource.most, signal);
        try {
          await check(part, resource, signal);
        } catch (error) {
          // A part that is wrong would be gone on from for ever.
          if (!signal?.aborted) await Deno.remove(part);
          throw new WrongFileError(error instanceof Error ? error.message : String(error), { cause: error });
        }
        await Deno.rename(part, path);
        return;
      } catch (error) {
        signal?.throwIfAborted();
        faults.push(`${mirror}${resource.name}: ${error instanceof Error ? error.message : String(error)}`);
        const final = error instanceof MirrorError && error.final;
        mayPass ||= !final && !(error instanceof WrongFileError);
        if (final) break;
      }
    }
  }
  const message =
    `Cannot download ${resource.name}: ${[...new Set(faults)].join("; ") || "no mirror is set"}. ` +
    "Set other mirrors, or upload the files as a data set of your own";
  throw mayPass ? new DatasetUnavailableError(message) : new DatasetError(message);
}

/** The mirror sent a file with another checksum or size. */
class WrongFileError extends Error {}

/** The answer of a mirror cannot be used. */
class MirrorError extends Error {
  /** @param final true when asking again would not help */
  constructor(message: string, readonly final: boolean) {
    super(message);
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

/** Adds what is missing (RFC 9110, section 14: a range from the bytes that are there). */
async function fetchInto(url: URL, part: string, most: number, signal?: AbortSignal): Promise<void> {
  const there = await sizeOf(part);
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(new Error("it fell silent")), IDLE_MS);
  const response = await fetch(url, {
    // Identity: a range of an encoding that the server chooses anew could not be continued.
    headers: { "accept-encoding": "identity", ...(there > 0 && { range: `bytes=${there}-` }) },
    signal: AbortSignal.any([silence.signal, ...(signal ? [signal] : [])]),
  });
  try {
    if (response.status === 416 && there > 0) return;
    const continues = response.status === 206 && there > 0 &&
      response.headers.get("content-range")?.startsWith(`bytes ${there}-`);
    if (!response.ok || (response.status === 206 && !continues)) {
      throw new MirrorError(
        `it answered ${response.status}`,
        response.status >= 400 && response.status < 500,
      );
    }
    using file = await Deno.open(part, {
      write: true,
      create: true,
      truncate: !continues,
      append: continues || undefined,
    });
    let size = continues ? there : 0;
    for await (const piece of response.body!) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new Error("it fell silent")), IDLE_MS);
      size += piece.length;
      if (size > most) throw new MirrorError(`it sent more than ${most} bytes`, true);
      for (let at = 0; at < piece.length;) at += await file.write(piece.subarray(at));
    }
    const announced = Number(response.headers.get("content-length") ?? NaN);
    const received = size - (continues ? there : 0);
    if (Number.isFinite(announced) && received < announced) {
      throw new Error(`it broke off after ${size} bytes`);
    }
    await file.sync();
  } finally {
    clearTimeout(timer);
    await response.body?.cancel().catch(() => {});
  }
}

/** @throws {Error} saying how the file is not what it must be */
async function check(path: string, { checksum, name, most }: Resource, signal?: AbortSignal): Promise<void> {
  const hash = createHash(checksum.algorithm);
  const file = { field: name, filename: name, path, size: await sizeOf(path) };
  const pieces = checksum.of === "content" ? content(file, signal) : createReadStream(path);
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    // Packed MNIST grows about fivefold: what grows much more is something else.
    if (size > 64 * most) throw new Error("it unpacks to far more than it should");
    hash.update(piece);
  }
  if (hash.digest("hex") !== checksum.hex) throw new Error(`its ${checksum.algorithm} is wrong`);
}
