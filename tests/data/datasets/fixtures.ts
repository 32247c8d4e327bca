/**
 * An object store in a temporary folder, and files to upload into it.
 *
 * @module
 */
import type { Bytes } from "../../../data/bytes.ts";
import { openStore } from "../../../data/objects/open.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import type { UploadedFile } from "../../../data/datasets/uploadedFile.ts";

/** An object store in a temporary folder. */
export class TempStore implements AsyncDisposable {
  private constructor(readonly folder: string, readonly store: ObjectStore) {}

  static async open(): Promise<TempStore> {
    const folder = await Deno.makeTempDir();
    return new TempStore(folder, openStore({ url: `file:${folder}/objects` }));
  }

  /** Writes files as the API passes them to `createDataset`. */
  async files(parts: Readonly<Record<string, Bytes>>): Promise<UploadedFile[]> {
    return await Promise.all(
      Object.entries(parts).map(async ([field, bytes]) => {
        const path = `${this.folder}/${field}`;
        await Deno.writeFile(path, bytes);
        return { field, filename: `${field}.bin`, path, size: bytes.length };
      }),
    );
  }

  /** Returns the keys of all objects. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list("")) keys.push(key);
    return keys;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
