/**
 * Uploads into data sets: checked while they are stored, and there only when all of it is.
 *
 * @module
 */
import { ulid } from "ulid";
import type { ObjectStore } from "../../objects/store.ts";
import { resolvePreprocessing } from "../../images/preprocessing.ts";
import type { DatasetInfo } from "../dataset.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { removeObjects } from "../stored/removal.ts";
import { writeManifest } from "../stored/manifest.ts";
import { storeArchive } from "./storeArchive.ts";
import type { Upload, UploadOptions } from "./uploadOptions.ts";
import { storeIdx } from "./storeIdx.ts";

/**
 * Makes a data set of an upload: either IDX files in `train_images`, `train_labels`, `test_images`, `test_labels`,
 * or one `archive`.
 *
 * @throws {DatasetError} naming the field that is wrong; nothing is kept then
 */
export async function createDataset(
  files: readonly UploadedFile[],
  options: UploadOptions,
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<DatasetInfo> {
  const parts = Object.fromEntries(files.map((file) => [file.field, file]));
  const id = options.id ?? newDatasetId();
  const name = options.name ?? (nameOf(files[0]?.filename ?? "") || id);
  const created = options.createdAt ?? new Date().toISOString();
  const source = id.startsWith("ds_") ? "upload" : "builtin";
  const base = { id, name, source, createdAt: created, ...resolvePreprocessing(options.rule ?? {}) } as const;
  try {
    const upload: Upload = { parts, base, options, store, signal };
    const dataset = await (parts.archive ? storeArchive(upload) : storeIdx(upload));
    signal?.throwIfAborted();
    await options.confirm?.();
    await writeManifest(store, dataset);
    return dataset.info;
  } catch (error) {
    await removeObjects(store, id).catch(() => {});
    throw error;
  }
}

/** An id for a new upload. */
export function newDatasetId(): string {
  return `ds_${ulid()}`;
}

/** Most characters of a name that is taken from a file. */
const NAME_LENGTH = 128;

/** A file's name without the extensions of archives and IDX files; empty if nothing else is left. */
function nameOf(filename: string): string {
  const bare = filename
    .replace(/\.(gz|gzip)$/i, "")
    .replace(/\.(zip|tar|tgz|taz)$/i, "")
    .replace(/([.-]idx\d?)?([.-](ubyte|byte|short|int))?$/i, "");
  // Truncation inside a surrogate pair leaves half a character.
  return bare.slice(0, NAME_LENGTH).replace(/[\ud800-\udbff]$/, "").trim();
}
