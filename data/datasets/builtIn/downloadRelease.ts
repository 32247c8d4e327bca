/**
 * Downloads published data sets at their first use, and stores them in object storage.
 *
 * @module
 */
import { pause } from "../../backoff.ts";
import type { ObjectStore } from "../../objects/store.ts";
import { DatasetDamagedError } from "../dataset.ts";
import type { DatasetSettings } from "../settings.ts";
import { DatasetObjects } from "../stored/datasetObjects.ts";
import { type Manifest, readManifest } from "../stored/manifest.ts";
import { createDataset } from "../upload/createDataset.ts";
import type { UploadedFile } from "../uploadedFile.ts";
import { download } from "./download.ts";
import { RELEASE_CREATED_AT, RELEASES } from "./releases.ts";

/** Interval at which a waiting download tries to take the lock, in milliseconds. */
const LOCK_POLL_MS = 200;

/**
 * Returns a published data set from object storage, and downloads it if it is missing or damaged. Unfinished downloads
 * are kept in `settings.downloadsDir`, so that an interrupted download is resumed.
 *
 * @throws {DatasetUnavailableError} if no mirror is available
 * @throws {DatasetError} if no mirror has the right files
 */
export async function downloadRelease(
  id: string,
  store: ObjectStore,
  settings: DatasetSettings,
  signal?: AbortSignal,
): Promise<Manifest> {
  const stored = await findComplete(id, store);
  if (stored) return stored;
  const { downloadsDir } = settings;
  await Deno.mkdir(downloadsDir, { recursive: true });
  // A file lock is used because other processes may download the same files.
  using lock = await Deno.open(`${downloadsDir}/${id}.lock`, { create: true, write: true });
  while (!await lock.tryLock(true)) {
    signal?.throwIfAborted();
    await pause(LOCK_POLL_MS, signal);
  }
  const storedMeanwhile = await findComplete(id, store);
  if (storedMeanwhile) return storedMeanwhile;
  await downloadAndStore(id, store, settings, signal);
  // A process that waits for the lock of the removed file finds the data set in object storage.
  await Deno.remove(`${downloadsDir}/${id}.lock`);
  return (await readManifest(store, id))!;
}

/** Returns the data set in object storage; null if it is missing or damaged. */
async function findComplete(id: string, store: ObjectStore): Promise<Manifest | null> {
  try {
    const manifest = await readManifest(store, id);
    if (manifest) await new DatasetObjects(store, id).check(manifest);
    return manifest;
  } catch (error) {
    if (error instanceof DatasetDamagedError) return null;
    throw error;
  }
}

async function downloadAndStore(
  id: string,
  store: ObjectStore,
  { downloadsDir, mirrors: mirrorSettings }: DatasetSettings,
  signal?: AbortSignal,
): Promise<void> {
  const release = RELEASES[id], folder = `${downloadsDir}/${id}`;
  const mirrors = (mirrorSettings[id] ?? release.mirrors).map((url) => url.endsWith("/") ? url : `${url}/`);
  await Deno.mkdir(folder, { recursive: true });
  const files: UploadedFile[] = [];
  for (const [field, file] of Object.entries(release.files)) {
    const path = `${folder}/${file.name}`;
    const isDownloaded = await Deno.stat(path).then(() => true, () => false);
    if (!isDownloaded) await download(file, mirrors, path, signal);
    files.push({ field, filename: file.name, path, size: (await Deno.stat(path)).size });
  }
  await createDataset(files, { id, name: release.name, createdAt: RELEASE_CREATED_AT }, store, signal);
  await Deno.remove(folder, { recursive: true });
}
