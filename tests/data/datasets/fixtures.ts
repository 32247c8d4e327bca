/**
 * An object store in a folder that goes, and files to upload into it.
 *
 * @module
 */
import { openStore } from "../../../data/objects/open.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import type { UploadedFile } from "../../../data/datasets/uploadedFile.ts";

/** A store on a folder of its own. */
export class Shelf implements AsyncDisposable {
  private constructor(readonly folder: string, readonly store: ObjectStore) {}

  static async open(): Promise<Shelf> {
    const folder = await Deno.makeTempDir();
    return new Shelf(folder, openStore({ url: `file:${folder}/objects` }));
  }

  /** Files as the API hands them over. */
  async files(parts: Readonly<Record<string, Uint8Array<ArrayBuffer>>>): Promise<UploadedFile[]> {
    return await Promise.all(
      Object.entries(parts).map(async ([field, bytes]) => {
        const path = `${this.folder}/${field}`;
        await Deno.writeFile(path, bytes);
        return { field, filename: `${field}.bin`, path, size: bytes.length };
      }),
    );
  }

  /** Keys of all objects. */
  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list("")) keys.push(key);
    return keys;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
