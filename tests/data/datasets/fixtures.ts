/**
 * An object store in a temporary folder, and uploads to it.
 *
 * @module
 */
import { expect } from "expect";
import type { Bytes } from "../../../data/bytes.ts";
import type { DatasetError, DatasetInfo } from "../../../data/datasets/dataset.ts";
import { createDataset } from "../../../data/datasets/upload/createDataset.ts";
import type { UploadOptions } from "../../../data/datasets/upload/uploadOptions.ts";
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

/** Uploads an archive to an empty store. */
export async function uploadArchive(archive: Bytes, options: UploadOptions = {}): Promise<DatasetInfo> {
  await using temp = await TempStore.open();
  return await createDataset(await temp.files({ archive }), options, temp.store);
}

/** Expects that an archive is refused and nothing remains stored. @returns the error message */
export async function expectArchiveRefused(archive: Bytes, options: UploadOptions = {}): Promise<string> {
  await using temp = await TempStore.open();
  const error = await createDataset(await temp.files({ archive }), options, temp.store)
    .then(() => null, (error: DatasetError) => error);
  expect([error?.name, error?.field]).toEqual(["DatasetError", "archive"]);
  const { message } = error!;
  expect(message).not.toMatch(/\p{Cc}|\p{Cf}/u);
  expect(message.length).toBeLessThan(400);
  expect(await temp.keys()).toEqual([]);
  return message;
}
