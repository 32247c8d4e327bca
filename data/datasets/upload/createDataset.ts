/**
 * Creates data sets from uploaded files. A data set becomes visible when it has been checked and stored completely.
 *
 * @module
 */
import { ulid } from "ulid";
import { resolvePreprocessing } from "../../images/preprocessing.ts";
import type { ObjectStore } from "../../objects/store.ts";
import type { DatasetInfo } from "../dataset.ts";
import { writeManifest } from "../stored/manifest.ts";
import { removeObjects } from "../stored/removal.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { storeArchive } from "./storeArchive.ts";
import { storeIdx } from "./storeIdx.ts";
import type { DatasetUpload, UploadOptions } from "./uploadOptions.ts";

/**
 * Creates a data set from an upload: either IDX files in the fields `train_images`, `train_labels`, `test_images` and
 * `test_labels`, or one `archive`. Nothing remains stored after an error.
 *
 * @throws {DatasetError} with the field that has the fault
 */
export async function createDataset(
  files: readonly UploadedFile[],
  options: UploadOptions,
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<DatasetInfo> {
  const byField = Object.fromEntries(files.map((file) => [file.field, file]));
  const id = options.id ?? newDatasetId();
  const name = options.name ?? (nameFromFile(files[0]?.filename ?? "") || id);
  const createdAt = options.createdAt ?? new Date().toISOString();
  const source = id.startsWith("ds_") ? "upload" : "builtin";
  const base = { id, name, source, createdAt, ...resolvePreprocessing(options.preprocessing ?? {}) } as const;
  try {
    const upload: DatasetUpload = { files: byField, base, options, store, signal };
    const manifest = await (byField.archive ? storeArchive(upload) : storeIdx(upload));
    signal?.throwIfAborted();
    await options.confirm?.();
    await writeManifest(store, manifest);
    return manifest.info;
  } catch (error) {
    await removeObjects(store, id).catch(() => {});
    throw error;
  }
}

/** Creates an id for an upload. */
export function newDatasetId(): string {
  return `ds_${ulid()}`;
}

/** Maximum number of characters of a name that is taken from a file. */
const MAX_NAME_LENGTH = 128;

/** Removes the extensions of archives and IDX files from a file name. The result may be empty. */
function nameFromFile(filename: string): string {
  const name = filename
    .replace(/\.(gz|gzip)$/i, "")
    .replace(/\.(zip|tar|tgz|taz)$/i, "")
    .replace(/([.-]idx\d?)?([.-](ubyte|byte|short|int))?$/i, "");
  // Truncation inside a surrogate pair leaves half a character.
  return name.slice(0, MAX_NAME_LENGTH).replace(/[\ud800-\udbff]$/, "").trim();
}
