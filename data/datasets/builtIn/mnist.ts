/**
 * MNIST and Fashion-MNIST: downloaded once from a mirror, checked, and kept in object storage from then on.
 *
 * @module
 */
import type { ObjectStore } from "../../objects/store.ts";
import { DEFAULT_PREPROCESSING } from "../../images/preprocessing.ts";
import { DatasetDamagedError, type DatasetInfo } from "../dataset.ts";
import type { DatasetSettings } from "../settings.ts";
import { download, type Resource } from "./download.ts";
import { type Manifest, readManifest } from "../stored/manifest.ts";
import { DatasetObjects } from "../stored/datasetObjects.ts";
import { createDataset } from "../upload/createDataset.ts";

/** A data set to be downloaded. */
interface Release {
  readonly name: string;
  readonly mirrors: readonly string[];
  readonly classNames: readonly string[];
  readonly files: Readonly<Record<"train_images" | "train_labels" | "test_images" | "test_labels", Resource>>;
}

const MIB = 2 ** 20;
const named = (
  algorithm: "md5" | "sha256",
  of: "file" | "content",
  sums: readonly string[],
): Release["files"] => {
  const file = (name: string, most: number, at: number): Resource => ({
    name,
    most,
    checksum: { algorithm, of, hex: sums[at] },
  });
  return {
    train_images: file("train-images-idx3-ubyte.gz", 64 * MIB, 0),
    train_labels: file("train-labels-idx1-ubyte.gz", MIB, 1),
    test_images: file("t10k-images-idx3-ubyte.gz", 16 * MIB, 2),
    test_labels: file("t10k-labels-idx1-ubyte.gz", MIB, 3),
  };
};

/** The releases by id. */
export const RELEASES: Readonly<Record<string, Release>> = {
  mnist: {
    name: "MNIST",
    mirrors: [
      "https://ossci-datasets.s3.amazonaws.com/mnist/",
      "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    classNames: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    files: named("sha256", "content", [
      "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
      "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
      "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
      "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
  },
  "fashion-mnist": {
    name: "Fashion-MNIST",
    mirrors: ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
    classNames: [
      "T-shirt/top",
      "Trouser",
      "Pullover",
      "Dress",
      "Coat",
      "Sandal",
      "Shirt",
      "Sneaker",
      "Bag",
      "Ankle boot",
    ],
    // Checksums of the files as torchvision has them: the release is served as one fixed set of gzip files.
    files: named("md5", "file", [
      "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
      "25c81989df183df01b3e8a0aad5dffbe",
      "bef4ecab320f06d8554ea6380940ec79",
      "bb300cfdad3c16e7a12a480ee83cd310",
    ]),
  },
};

/** How often it is looked whether another download has ended, in milliseconds. */
const LOCK_POLL_MS = 200;

const CREATED_AT = "2026-11-24T00:00:00.000Z";

/** What is known of a release, downloaded or not. */
export function releaseInfo(id: string): DatasetInfo {
  const release = RELEASES[id];
  return {
    id,
    name: release.name,
    source: "builtin",
    format: "raw",
    height: 28,
    width: 28,
    channels: 1,
    splits: { train: { count: 60_000 }, test: { count: 10_000 } },
    labelled: true,
    numClasses: 10,
    classNames: release.classNames,
    ...DEFAULT_PREPROCESSING,
    notes: [],
    size: 70_000 * (28 * 28 + 1),
    createdAt: CREATED_AT,
  };
}

function mirrorsOf(id: string, { mirrors }: DatasetSettings): readonly string[] {
  return (mirrors[id] ?? RELEASES[id].mirrors).map((url) => url.endsWith("/") ? url : `${url}/`);
}

/**
 * A release out of object storage; downloaded before when it is not there. What has arrived waits under
 * `settings.downloadsDir`, so that a broken download goes on where it was.
 *
 * @throws {DatasetError} when no mirror gives the right files
 */
export async function downloadRelease(
  id: string,
  store: ObjectStore,
  settings: DatasetSettings,
  signal?: AbortSignal,
): Promise<Manifest> {
  const found = await keptWhole(id, store);
  if (found) return found;
  const downloads = settings.downloadsDir;
  await Deno.mkdir(downloads, { recursive: true });
  // One at a time, of this process and of others on the folder: they would write into the same files.
  using lock = await Deno.open(`${downloads}/${id}.lock`, { create: true, write: true });
  while (!await lock.tryLock(true)) {
    signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL_MS));
  }
  const meanwhile = await keptWhole(id, store);
  if (meanwhile) return meanwhile;
  await downloadInto(`${downloads}/${id}`, id, store, settings, signal);
  // Whoever waits on the file that is gone now finds the release in the store.
  await Deno.remove(`${downloads}/${id}.lock`);
  return (await readManifest(store, id))!;
}

/** A release in object storage. Null when it is missing or damaged, so that it is downloaded again. */
async function keptWhole(id: string, store: ObjectStore): Promise<Manifest | null> {
  try {
    const stored = await readManifest(store, id);
    if (stored) await new DatasetObjects(store, id).check(stored);
    return stored;
  } catch (error) {
    if (error instanceof DatasetDamagedError) return null;
    throw error;
  }
}

async function downloadInto(
  folder: string,
  id: string,
  store: ObjectStore,
  settings: DatasetSettings,
  signal?: AbortSignal,
): Promise<void> {
  const release = RELEASES[id];
  await Deno.mkdir(folder, { recursive: true });
  const mirrors = mirrorsOf(id, settings);
  const files = [];
  for (const [field, resource] of Object.entries(release.files)) {
    const path = `${folder}/${resource.name}`;
    const there = await Deno.stat(path).then(() => true, () => false);
    if (!there) await download(resource, mirrors, path, signal);
    files.push({ field, filename: resource.name, path, size: (await Deno.stat(path)).size });
  }
  await createDataset(files, { id, name: release.name, createdAt: CREATED_AT }, store, signal);
  await Deno.remove(folder, { recursive: true });
}
