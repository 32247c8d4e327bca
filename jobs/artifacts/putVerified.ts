/**
 * Writes an object and reads it back.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Bytes } from "../../data/bytes.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { JobFailure } from "../failure.ts";
import { sha256 } from "./sha256.ts";

/**
 * Writes an object chunk by chunk, and reads it back.
 *
 * @param chunks returns the chunks of the object; called again when the write is retried
 * @param signal cancels the write
 * @returns the SHA-256 of the object
 * @throws {JobFailure} `checkpoint_damaged` when the object differs from what was written
 * @throws the error of the chunks, if they fail
 */
export async function putVerified(
  store: ObjectStore,
  key: string,
  chunks: () => Iterable<Bytes> | AsyncIterable<Bytes>,
  signal?: AbortSignal,
): Promise<string> {
  let digest = "", failure: { readonly error: unknown } | null = null;
  const open = () => {
    failure = null;
    return hashingStream(chunks(), (result) => digest = result, (error) => failure = { error });
  };
  try {
    await store.put(key, open(), { reopen: open, signal });
  } catch (error) {
    // A client of a remote store may replace the error of the chunks by one of its own.
    const { error: cause } = (failure as { readonly error: unknown } | null) ?? { error };
    throw cause;
  }
  if (await sha256((await store.get(key, { signal })).body) === digest) return digest;
  throw new JobFailure(
    "checkpoint_damaged",
    `The object '${key}' differs from what was written when it is read back`,
  );
}

/** Returns a stream of chunks. @param onEnd called with their SHA-256 @param onError called when they fail */
function hashingStream(
  chunks: Iterable<Bytes> | AsyncIterable<Bytes>,
  onEnd: (digest: string) => void,
  onError: (error: unknown) => void,
): ReadableStream<Bytes> {
  const hash = createHash("sha256");
  const iterator = Symbol.asyncIterator in chunks
    ? chunks[Symbol.asyncIterator]()
    : chunks[Symbol.iterator]();
  return new ReadableStream({
    async pull(controller) {
      let next: IteratorResult<Bytes, unknown>;
      try {
        next = await iterator.next();
      } catch (error) {
        onError(error);
        throw error;
      }
      if (next.done) {
        onEnd(hash.digest("hex"));
        return controller.close();
      }
      hash.update(next.value);
      controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  }, { highWaterMark: 0 });
}
