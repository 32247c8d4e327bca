/**
 * The root folder of the local object store, which may be a mounted disk.
 *
 * @module
 */
import { dirname, join, relative, resolve, sep as SEPARATOR } from "node:path";
import { freeBytesOf } from "../../freeSpace.ts";
import { StorageUnavailableError } from "../store.ts";
import { isMissing, syncFolder } from "./files.ts";

/** The root folder of an object store. */
export class RootFolder {
  /** Absolute path. */
  readonly path: string;
  readonly #mustExist: boolean;

  /** @param mustExist whether a missing folder, such as an unmounted disk, is an outage. It is never created then. */
  constructor(path: string, mustExist: boolean) {
    this.path = resolve(path);
    this.#mustExist = mustExist;
  }

  /** @throws {StorageUnavailableError} if the folder must exist and does not */
  async check(): Promise<void> {
    if (!this.#mustExist) return;
    const exists = await Deno.stat(this.path).then(({ isDirectory }) => isDirectory, (error) => {
      if (isMissing(error)) return false;
      throw error;
    });
    if (exists) return;
    throw new StorageUnavailableError(
      `Object storage is unavailable: its folder ${this.path} does not exist`,
    );
  }

  /** Creates a folder in the root folder. @throws {StorageUnavailableError} */
  async create(folder: string): Promise<void> {
    if (!this.#mustExist) return await Deno.mkdir(folder, { recursive: true });
    let path = this.path;
    for (const name of relative(this.path, folder).split(SEPARATOR)) {
      path = join(path, name);
      try {
        await Deno.mkdir(path);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) {
          // The caller retries if a delete has just removed the empty folder.
          return await this.check();
        }
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        if (!(await Deno.stat(path)).isDirectory) throw error;
      }
    }
  }

  /** Syncs the entries of `folder` and its parents in the root folder to the disk. */
  async sync(folder: string): Promise<void> {
    for (let path = folder; path.length > this.path.length; path = dirname(path)) {
      // The caller retries if a delete has just removed the empty folder.
      await syncFolder(dirname(path)).catch((error) => {
        if (!isMissing(error)) throw error;
      });
    }
  }

  /** Returns the free bytes of the file system. The first put creates the folder if it does not exist. */
  async freeBytes(): Promise<number> {
    return await freeBytesOf(this.path);
  }
}
