/**
 * Object storage in a folder.
 *
 * @module
 */
import { statfs } from "node:fs/promises";
import { dirname, join, relative, resolve, sep as SEPARATOR } from "node:path";
import { ulid } from "ulid";
import { type Bytes, splitIntoParts } from "../parts.ts";
import { ASIDE, isMissing, keysBelow, keyToPath } from "./paths.ts";
import { readFileBody } from "./fileBody.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { checkPrefix, checkRange, resolveRange } from "../range.ts";
import {
  checkKey,
  type GetOptions,
  type ObjectBody,
  ObjectExistsError,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
  StorageUnavailableError,
} from "../store.ts";

/** How often a put makes its folder again because a delete took it away for being empty. */
const FOLDER_ATTEMPTS = 10;

/** Bytes written between two looks at the abort signal. */
const WRITE_SIZE = 16 * 1024 * 1024;

let lastVersion = 0;

/**
 * Objects as files of a folder; a key is a path. A put writes aside in the same file system, syncs the file, renames
 * it (or links it, which only one of two racing creates can do) and syncs the folder.
 *
 * An etag is a file's modification time, inode and size. Modification times are set here to rise with every put of
 * a process and past the object that is replaced, so that an inode used again does not bring an etag back.
 *
 * As in every folder, a key cannot be an object's and the beginning of another's (`a` and `a/b`).
 */
export class LocalStore implements ObjectStore {
  readonly url: string;
  readonly #root: string;
  readonly #existing: boolean;
  #swept: Promise<void> | undefined;

  /**
   * Objects below a folder. The first put creates a missing folder.
   *
   * @param options `existing`: if the folder does not exist, every method throws {@linkcode StorageUnavailableError}
   */
  constructor(folder: string, options: { readonly existing?: boolean } = {}) {
    this.#root = resolve(folder);
    this.#existing = options.existing ?? false;
    this.url = `file:${this.#root}`;
  }

  async put(key: string, body: Bytes | ReadableStream<Bytes>, options: PutOptions = {}): Promise<ObjectInfo> {
    const target = keyToPath(this.#root, checkKey(key));
    let aside: string | undefined;
    try {
      options.signal?.throwIfAborted();
      await this.#checkFolder();
      if (options.ifNoneMatch && await fileAt(target)) throw new ObjectExistsError(key);
      aside = await this.#asidePath();
      await this.#write(aside, target, body, options.signal);
      options.signal?.throwIfAborted();
      const info = describe(key, await Deno.stat(aside));
      await this.#publish(key, aside, target, options.ifNoneMatch ?? false);
      return info;
    } catch (error) {
      if (body instanceof ReadableStream && !body.locked) await body.cancel(error).catch(() => {});
      if (isMissing(error)) await this.#checkFolder();
      throw error;
    } finally {
      if (aside) await Deno.remove(aside).catch(() => {});
    }
  }

  /** Opens an object: bytes come from the file that was there then, whatever is put later. */
  async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const path = keyToPath(this.#root, checkKey(key));
    options.signal?.throwIfAborted();
    if (options.range) checkRange(options.range);
    const file = await Deno.open(path).catch(async (error) => {
      if (!isMissing(error)) throw error;
      await this.#checkFolder();
      throw new ObjectNotFoundError(key);
    });
    try {
      const stat = await file.stat();
      if (!stat.isFile) throw new ObjectNotFoundError(key);
      const range = options.range && resolveRange(key, stat.size, options.range);
      const { start, end } = range ?? { start: 0, end: stat.size - 1 };
      if (start > 0) await file.seek(start, Deno.SeekMode.Start);
      return {
        ...describe(key, stat),
        body: readFileBody(file, key, end - start + 1, options.signal),
        ...(range && { range }),
      };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const stat = await fileAt(keyToPath(this.#root, checkKey(key)));
    if (stat === null) await this.#checkFolder();
    return stat && describe(key, stat);
  }

  async *list(prefix: string, { after = "" }: { after?: string } = {}): AsyncGenerator<ObjectInfo> {
    await this.#checkFolder();
    for (const key of await keysBelow(this.#root, checkPrefix(prefix))) {
      if (key <= after) continue;
      const stat = await fileAt(keyToPath(this.#root, key));
      if (stat) yield describe(key, stat);
    }
  }

  async delete(key: string): Promise<void> {
    const path = keyToPath(this.#root, checkKey(key));
    if (!await fileAt(path)) return await this.#checkFolder();
    try {
      await Deno.remove(path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await removeEmptyFolders(dirname(path), this.#root);
  }

  /** @throws {StorageUnavailableError} when the folder must exist and does not */
  async #checkFolder(): Promise<void> {
    if (!this.#existing) return;
    const there = await Deno.stat(this.#root).then(({ isDirectory }) => isDirectory, (error) => {
      if (isMissing(error)) return false;
      throw error;
    });
    if (there) return;
    throw new StorageUnavailableError(`Object storage is unavailable: its folder ${this.#root} is not there`);
  }

  /** Removes the files of puts that never ended. No process has a lock on such files. */
  async sweep(now: number = Date.now()): Promise<number> {
    return await sweepLeftovers(join(this.#root, ASIDE), now);
  }

  /** Free bytes of the file system. */
  async freeBytes(): Promise<number> {
    for (let folder = this.#root;; folder = dirname(folder)) {
      try {
        const { bavail, bsize } = await statfs(folder);
        return bavail * bsize;
      } catch (error) {
        // The first put creates the folder, so the free space of its parent applies.
        if ((error as { code?: string }).code !== "ENOENT" || folder === dirname(folder)) throw error;
      }
    }
  }

  /** Creates a folder. A root folder that must exist is never created, even if it has just disappeared. */
  async #makeBelow(folder: string): Promise<void> {
    if (!this.#existing) return await Deno.mkdir(folder, { recursive: true });
    let path = this.#root;
    for (const name of relative(this.#root, folder).split(SEPARATOR)) {
      path = join(path, name);
      try {
        await Deno.mkdir(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) {
          // The caller retries if a delete has just removed the empty folder.
          return await this.#checkFolder();
        }
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        if (!(await Deno.stat(path)).isDirectory) throw error;
      }
    }
  }

  async #asidePath(): Promise<string> {
    const folder = join(this.#root, ASIDE);
    await this.#makeBelow(folder);
    this.#swept ??= sweepLeftovers(folder, Date.now()).then(() => {});
    await this.#swept;
    return join(folder, ulid());
  }

  async #write(
    aside: string,
    target: string,
    body: Bytes | ReadableStream<Bytes>,
    signal?: AbortSignal,
  ): Promise<void> {
    using file = await Deno.open(aside, { write: true, createNew: true });
    // On a file system without locks, the sweep does not delete such files.
    await file.lock(true).catch(() => {});
    if (body instanceof Uint8Array) {
      for await (const part of splitIntoParts(body, WRITE_SIZE, signal)) await writeAll(file, part);
    } else {
      await body.pipeTo(new WritableStream({ write: (chunk) => writeAll(file, chunk) }), { signal });
    }
    const replaced = (await fileAt(target))?.mtime?.getTime() ?? 0;
    lastVersion = Math.max(Date.now(), lastVersion + 1, replaced + 1);
    await file.utime(new Date(), new Date(lastVersion));
    await file.sync();
  }

  async #publish(key: string, aside: string, target: string, create: boolean): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        if (create) await Deno.link(aside, target);
        else await Deno.rename(aside, target);
        break;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound && attempt < FOLDER_ATTEMPTS) {
          await this.#makeFolders(key, dirname(target));
        } else if (create && await fileAt(target)) {
          throw new ObjectExistsError(key);
        } else {
          throw conflict(key, error);
        }
      }
    }
    await syncFolder(dirname(target));
  }

  async #makeFolders(key: string, folder: string): Promise<void> {
    await this.#makeBelow(folder).catch((error) => {
      if (error instanceof StorageUnavailableError) throw error;
      throw conflict(key, error);
    });
    for (let above = folder; above.length > this.#root.length; above = dirname(above)) {
      // One that a delete has just taken away is made again by the next attempt.
      await syncFolder(dirname(above)).catch((error) => {
        if (!isMissing(error)) throw error;
      });
    }
  }
}

/** Names the cause where one key is the beginning of another. */
function conflict(key: string, error: unknown): unknown {
  const folder = error instanceof Deno.errors.IsADirectory || error instanceof Deno.errors.AlreadyExists;
  if (!folder && !(error instanceof Deno.errors.NotADirectory)) return error;
  const cause = folder ? "there are objects below it" : "there is an object whose key is its beginning";
  return new Error(`Cannot store '${key}' in a folder: ${cause}`, { cause: error });
}

function describe(key: string, stat: Deno.FileInfo): ObjectInfo {
  const modifiedAt = stat.mtime ?? new Date(0);
  const etag = [modifiedAt.getTime(), stat.ino ?? 0, stat.size].map((part) => part.toString(36)).join("-");
  return { key, size: stat.size, etag, modifiedAt };
}

async function fileAt(path: string): Promise<Deno.FileInfo | null> {
  try {
    const stat = await Deno.stat(path);
    return stat.isFile ? stat : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function writeAll(file: Deno.FsFile, chunk: Bytes): Promise<void> {
  if (!(chunk instanceof Uint8Array)) {
    throw new TypeError(`A stream to store must yield Uint8Array: it yielded ${typeof chunk}`);
  }
  for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
}

async function syncFolder(folder: string): Promise<void> {
  if (Deno.build.os === "windows") return; // folders cannot be opened there
  using handle = await Deno.open(folder);
  await handle.sync();
}

async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  for (let path = folder; path.length > root.length; path = dirname(path)) {
    try {
      await Deno.remove(path);
    } catch {
      return; // not empty: the usual case
    }
  }
}
