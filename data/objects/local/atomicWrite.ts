/**
 * Atomic writes of the local object store: a temporary file is written, and then renamed.
 *
 * @module
 */
import { dirname } from "node:path";
import type { Bytes } from "../../bytes.ts";
import { splitIntoParts } from "../parts.ts";
import { ObjectExistsError, StorageUnavailableError } from "../store.ts";
import { statFile, syncFolder, writeAll } from "./files.ts";
import type { RootFolder } from "./rootFolder.ts";

/** Maximum number of attempts of a put whose empty folder is removed by concurrent deletes. */
const MAX_FOLDER_ATTEMPTS = 10;

/** Bytes written between two checks of the abort signal. */
const WRITE_BYTES = 16 * 1024 * 1024;

/** Modification time of the last put of this process, in milliseconds since 1970. */
let lastModified = 0;

/** Writes and syncs a temporary file, with a later modification time than the file that it will replace. */
export async function writeTemp(
  temp: string,
  target: string,
  body: Bytes | ReadableStream<Bytes>,
  signal?: AbortSignal,
): Promise<void> {
  using file = await Deno.open(temp, { write: true, createNew: true });
  // On a file system without locks, the sweep does not delete such files.
  await file.lock(true).catch(() => {});
  if (body instanceof Uint8Array) {
    for await (const part of splitIntoParts(body, WRITE_BYTES, signal)) await writeAll(file, part);
  } else {
    await body.pipeTo(new WritableStream({ write: (chunk) => writeAll(file, chunk) }), { signal });
  }
  const replaced = (await statFile(target))?.mtime?.getTime() ?? 0;
  lastModified = Math.max(Date.now(), lastModified + 1, replaced + 1);
  await file.utime(new Date(), new Date(lastModified));
  await file.sync();
}

/** Makes a temporary file visible under its key. @throws {ObjectExistsError} if `ifNoneMatch` is set and the key is in use */
export async function publish(
  root: RootFolder,
  key: string,
  temp: string,
  target: string,
  ifNoneMatch: boolean,
): Promise<void> {
  const folder = dirname(target);
  for (let attempt = 1;; attempt++) {
    try {
      if (ifNoneMatch) await Deno.link(temp, target);
      else await Deno.rename(temp, target);
      break;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound && attempt < MAX_FOLDER_ATTEMPTS) {
        await root.create(folder).catch((error) => Promise.reject(describeConflict(key, error)));
        await root.sync(folder);
      } else if (ifNoneMatch && await statFile(target)) {
        throw new ObjectExistsError(key);
      } else {
        throw describeConflict(key, error);
      }
    }
  }
  await syncFolder(folder);
}

/** Replaces the error of a key that is the parent of another key, or has another key as its parent. */
function describeConflict(key: string, error: unknown): unknown {
  if (error instanceof StorageUnavailableError) return error;
  const isFolder = error instanceof Deno.errors.IsADirectory || error instanceof Deno.errors.AlreadyExists;
  if (!isFolder && !(error instanceof Deno.errors.NotADirectory)) return error;
  const cause = isFolder
    ? `other keys begin with '${key}/'`
    : "an object has the key of one of its parent folders";
  return new Error(`Cannot store '${key}' in a folder: ${cause}`, { cause: error });
}
