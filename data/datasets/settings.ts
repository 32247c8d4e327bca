/**
 * Settings of the process that data sets depend on.
 *
 * @module
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULT_MAX_SPLIT_BYTES } from "./memoryLimit.ts";

/** How data sets are downloaded and loaded. Structured-clonable: workers receive it in a message. */
export interface DatasetSettings {
  /** Maximum memory for the decoded images of a split, in bytes. */
  readonly maxSplitBytes: number;
  /** Folder for unfinished downloads. An interrupted download is resumed from there. */
  readonly downloadsDir: string;
  /** URLs of mirrors by the id of the data set. They replace the public mirrors. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
}

/** The default of each setting: the public mirrors, and a folder for temporary files. */
export const DEFAULT_DATASET_SETTINGS: DatasetSettings = {
  maxSplitBytes: DEFAULT_MAX_SPLIT_BYTES,
  downloadsDir: join(tmpdir(), "unmask-downloads"),
  mirrors: {},
};
