/**
 * Object storage in a folder.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { ulid } from "ulid";
import type { Bytes } from "../../bytes.ts";
import { checkKey, checkPrefix } from "../keys.ts";
import { checkRange, resolveRange } from "../range.ts";
import {
  type GetOptions,
  type ObjectBody,
  ObjectExistsError,
  type ObjectInfo,
  ObjectNotFoundError,
  type ObjectStore,
  type PutOptions,
} from "../store.ts";
import { publish, writeTemp } from "./atomicWrite.ts";
import { readFileBody } from "./fileBody.ts";
import { isMissing, removeEmptyFolders, statFile, syncFolder } from "./files.ts";
import { sweepLeftovers } from "./leftovers.ts";
import { keysBelow, keyToPath, TEMP_FOLDER } from "./paths.ts";
import { RootFolder } from "./rootFolder.ts";

/**
 * Objects as files of a folder. A key is a path. A put writes a temporary file on the same file system, syncs it, and
 * renames it. With `ifNoneMatch` it links the file instead, which fails if the target exists. Then it syncs the folder.
 *
 * An etag is a file's modification time, inode and size. Every put sets a later modification time than all earlier puts
 * of the process and than the replaced object, so that a reused inode cannot repeat an etag.
 *
 * As in every folder, a key cannot be both an object and the parent of another object (`a` and `a/b`).
 */
export class LocalStore implements ObjectStore {
  readonly url: string;
  readonly #root: RootFolder;
  #swept: Promise<void> | undefined;

  /**
   * Opens a store in a folder. The first put creates a missing folder.
   *
   * @param options `mustExist`: if the folder does not exist, every method throws {@linkcode StorageUnavailableError}
   */
  constructor(folder: string, options: { readonly mustExist?: boolean } = {}) {
    this.#root = new RootFolder(folder, options.mustExist ?? false);
    this.url = `file:${this.#root.path}`;
  }

  /** @inheritdoc */
  async put(key: string, body: Bytes | ReadableStream<Bytes>, options: PutOptions = {}): Promise<ObjectInfo> {
    const target = this.#pathOf(key);
    let temp: string | undefined;
    try {
      options.signal?.throwIfAborted();
      await this.#root.check();
      if (options.ifNoneMatch && await statFile(target)) throw new ObjectExistsError(key);
      temp = await this.#newTempPath();
      await writeTemp(temp, target, body, options.signal);
      options.signal?.throwIfAborted();
      const info = infoOf(key, await Deno.stat(temp));
      await publish(this.#root, key, temp, target, options.ifNoneMatch ?? false);
      return info;
    } catch (error) {
      if (body instanceof ReadableStream && !body.locked) await body.cancel(error).catch(() => {});
      if (isMissing(error)) await this.#root.check();
      throw error;
    } finally {
      if (temp) await Deno.remove(temp).catch(() => {});
    }
  }

  /** Opens an object. A later put does not change the bytes that are read. */
  async get(key: string, options: GetOptions = {}): Promise<ObjectBody> {
    const path = this.#pathOf(key);
    options.signal?.throwIfAborted();
    if (options.range) checkRange(options.range);
    const file = await Deno.open(path).catch(async (error) => {
      if (!isMissing(error)) throw error;
      await this.#root.check();
      throw new ObjectNotFoundError(key);
    });
    try {
      const stat = await file.stat();
      if (!stat.isFile) throw new ObjectNotFoundError(key);
      const range = options.range && resolveRange(key, stat.size, options.range);
      const { start, end } = range ?? { start: 0, end: stat.size - 1 };
      if (start > 0) await file.seek(start, Deno.SeekMode.Start);
      return {
        ...infoOf(key, stat),
        body: readFileBody(file, key, end - start + 1, options.signal),
        ...(range && { range }),
      };
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** @inheritdoc */
  async head(key: string): Promise<ObjectInfo | null> {
    const stat = await statFile(this.#pathOf(key));
    if (stat === null) await this.#root.check();
    return stat && infoOf(key, stat);
  }

  /** @inheritdoc */
  async *list(prefix: string, { after = "" }: { after?: string } = {}): AsyncGenerator<ObjectInfo> {
    await this.#root.check();
    for (const key of await keysBelow(this.#root.path, checkPrefix(prefix))) {
      if (key <= after) continue;
      const stat = await statFile(keyToPath(this.#root.path, key));
      if (stat) yield infoOf(key, stat);
    }
  }

  /** @inheritdoc */
  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key);
    if (!await statFile(path)) return await this.#root.check();
    try {
      await Deno.remove(path);
      await syncFolder(dirname(path));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await removeEmptyFolders(dirname(path), this.#root.path);
  }

  /** Removes the temporary files of interrupted puts. No process has a lock on such files. */
  async sweep(now: number = Date.now()): Promise<number> {
    return await sweepLeftovers(join(this.#root.path, TEMP_FOLDER), now);
  }

  /** Returns the free bytes of the file system. */
  async freeBytes(): Promise<number> {
    return await this.#root.freeBytes();
  }

  #pathOf(key: string): string {
    return keyToPath(this.#root.path, checkKey(key));
  }

  async #newTempPath(): Promise<string> {
    const folder = join(this.#root.path, TEMP_FOLDER);
    await this.#root.create(folder);
    this.#swept ??= sweepLeftovers(folder, Date.now()).then(() => {});
    await this.#swept;
    return join(folder, ulid());
  }
}

function infoOf(key: string, stat: Deno.FileInfo): ObjectInfo {
  const modifiedAt = stat.mtime ?? new Date(0);
  const etag = [modifiedAt.getTime(), stat.ino ?? 0, stat.size].map((part) => part.toString(36)).join("-");
  return { key, size: stat.size, etag, modifiedAt };
}
