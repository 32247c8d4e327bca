/**
 * The published data sets MNIST and Fashion-MNIST: mirrors, files and checksums.
 *
 * @module
 */
import { DEFAULT_PREPROCESSING } from "../../images/preprocessing.ts";
import type { DatasetInfo } from "../dataset.ts";
import type { DownloadFile } from "./download.ts";

/** A published data set. */
interface Release {
  readonly name: string;
  readonly mirrors: readonly string[];
  readonly classNames: readonly string[];
  readonly files: Readonly<
    Record<"train_images" | "train_labels" | "test_images" | "test_labels", DownloadFile>
  >;
}

const MIB = 2 ** 20;
/** Describes the four files of a data set. @param sums checksums in hexadecimal, in the order of the files */
function idxFiles(
  algorithm: "md5" | "sha256",
  covers: "file" | "content",
  sums: readonly string[],
): Release["files"] {
  const file = (name: string, maxBytes: number, index: number): DownloadFile => ({
    name,
    maxBytes,
    checksum: { algorithm, covers, hex: sums[index] },
  });
  return {
    train_images: file("train-images-idx3-ubyte.gz", 64 * MIB, 0),
    train_labels: file("train-labels-idx1-ubyte.gz", MIB, 1),
    test_images: file("t10k-images-idx3-ubyte.gz", 16 * MIB, 2),
    test_labels: file("t10k-labels-idx1-ubyte.gz", MIB, 3),
  };
}

/** The published data sets by id. */
export const RELEASES: Readonly<Record<string, Release>> = {
  mnist: {
    name: "MNIST",
    mirrors: [
      "https://ossci-datasets.s3.amazonaws.com/mnist/",
      "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    classNames: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    files: idxFiles("sha256", "content", [
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
    // The checksums of torchvision. All mirrors serve the same gzip files.
    files: idxFiles("md5", "file", [
      "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
      "25c81989df183df01b3e8a0aad5dffbe",
      "bef4ecab320f06d8554ea6380940ec79",
      "bb300cfdad3c16e7a12a480ee83cd310",
    ]),
  },
};

/** Creation time that the API returns for every published data set. */
export const RELEASE_CREATED_AT = "2026-11-24T00:00:00.000Z";

/** Returns the description of a published data set, whether it is downloaded or not. */
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
    createdAt: RELEASE_CREATED_AT,
  };
}
