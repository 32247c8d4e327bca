/**
 * All data sets: the built-in ones and the uploads.
 *
 * @module
 */
import type { ObjectStore } from "../objects/store.ts";
import {
  type Dataset,
  DatasetDamagedError,
  type DatasetInfo,
  DatasetNotFoundError,
  type DatasetRef,
} from "./dataset.ts";
import { digitsInfo, openDigits } from "./builtIn/digits.ts";
import { downloadRelease } from "./builtIn/downloadRelease.ts";
import { releaseInfo, RELEASES } from "./builtIn/releases.ts";
import { StoredDataset } from "./stored/storedDataset.ts";
import { isBeingRemoved, REMOVAL_MARKER, removeDataset } from "./stored/removal.ts";
import { type DatasetSettings, DEFAULT_DATASET_SETTINGS } from "./settings.ts";
import { datasetKey, readManifest } from "./stored/manifest.ts";
import { DatasetObjects } from "./stored/datasetObjects.ts";

/** Names of the built-in data sets. */
export const BUILT_IN: readonly string[] = ["digits", ...Object.keys(RELEASES)];

/** Pattern of the ids of uploads. */
const UPLOAD_ID = /^ds_[0-9A-Z]{26}$/;
/**
 * Age at which objects of a data set without a manifest belong to a killed upload, in milliseconds. An upload may
 * take an hour to be stored (`uploadStoreMs` of the API's limits).
 */
const ABANDONED_MS = 2 * 3_600_000;
/** Age at which a removal counts as interrupted, in milliseconds. A younger one may still be in progress. */
const INTERRUPTED_REMOVAL_MS = 60_000;
/** Manifests that are read concurrently for a list. */
const CONCURRENT_READS = 8;

/** A page of data sets. */
export interface DatasetPage {
  readonly data: readonly DatasetInfo[];
  /** Data sets in the range of the page that cannot be read, with the errors. */
  readonly damaged: readonly { readonly id: string; readonly message: string }[];
  readonly hasMore: boolean;
}

/** Data sets by id. */
export class DatasetCatalogue {
  constructor(readonly store: ObjectStore, readonly settings: DatasetSettings = DEFAULT_DATASET_SETTINGS) {}

  /** Lists the built-in data sets, then the uploads, oldest first. @param query `after`: last id of the previous page */
  async list({ limit = 20, after }: { limit?: number; after?: string } = {}): Promise<DatasetPage> {
    const data: DatasetInfo[] = [], damaged: { id: string; message: string }[] = [];
    for await (const ids of inGroups(this.#ids(after), CONCURRENT_READS)) {
      const found = await Promise.all(ids.map((id) => this.#findReadable(id)));
      for (const [i, info] of found.entries()) {
        if (info === null) continue;
        if (data.length === limit) return { data, damaged, hasMore: true };
        if (info instanceof DatasetDamagedError) damaged.push({ id: ids[i], message: info.message });
        else data.push(info);
      }
    }
    return { data, damaged, hasMore: false };
  }

  /** Returns the description of a data set. @throws {DatasetNotFoundError} @throws {DatasetDamagedError} */
  async info(id: string): Promise<DatasetInfo> {
    const info = await this.#find(id);
    if (info === null) throw new DatasetNotFoundError(id);
    return info;
  }

  /**
   * Checks that all objects of a data set are complete, and returns its description.
   *
   * @throws {DatasetNotFoundError} @throws {DatasetDamagedError} with the object that is missing or truncated
   */
  async verify(id: string): Promise<DatasetInfo> {
    const stored = UPLOAD_ID.test(id) ? await readManifest(this.store, id) : null;
    if (stored === null) return await this.info(id);
    await new DatasetObjects(this.store, id).check(stored);
    return stored.info;
  }

  /**
   * Opens a data set. `mnist` and `fashion-mnist` are downloaded at their first use.
   *
   * @throws {DatasetNotFoundError} @throws {DatasetError}
   */
  async open({ id, size, seed }: DatasetRef, signal?: AbortSignal): Promise<Dataset> {
    if (id === "digits") return openDigits(size, seed, this.settings.maxSplitBytes);
    if (Object.hasOwn(RELEASES, id)) {
      const { storage } = await downloadRelease(id, this.store, this.settings, signal);
      return new StoredDataset(this.store, { info: releaseInfo(id), storage }, this.settings.maxSplitBytes);
    }
    const stored = UPLOAD_ID.test(id) ? await readManifest(this.store, id) : null;
    if (stored === null) throw new DatasetNotFoundError(id);
    return new StoredDataset(this.store, stored, this.settings.maxSplitBytes);
  }

  /** Whether an upload with this id exists, damaged or not, or the remains of its interrupted deletion. */
  async hasUpload(id: string): Promise<boolean> {
    if (!UPLOAD_ID.test(id)) return false;
    return await this.store.head(datasetKey(id, "meta.json")) !== null ||
      await isBeingRemoved(this.store, id);
  }

  /** Deletes an upload, damaged or not. @throws {DatasetNotFoundError} also for built-in data sets */
  async delete(id: string): Promise<void> {
    if (!await this.hasUpload(id)) throw new DatasetNotFoundError(id);
    await removeDataset(this.store, id);
  }

  /**
   * Removes the objects that killed uploads and deletions left behind.
   *
   * @param now milliseconds since 1970
   * @returns ids of the data sets whose objects were removed
   */
  async sweep(now = Date.now()): Promise<string[]> {
    const lastModified = new Map<string, number>();
    const complete = new Set<string>(), removedAt = new Map<string, number>();
    for await (const { key, modifiedAt } of this.store.list("datasets/ds_")) {
      const [, id, name] = key.split("/");
      lastModified.set(id, Math.max(lastModified.get(id) ?? 0, modifiedAt.getTime()));
      if (name === "meta.json") complete.add(id);
      if (name === REMOVAL_MARKER) removedAt.set(id, modifiedAt.getTime());
    }
    const abandoned = [...lastModified].filter(([id, modifiedAt]) =>
      now - (removedAt.get(id) ?? now) >= INTERRUPTED_REMOVAL_MS ||
      (!complete.has(id) && now - modifiedAt > ABANDONED_MS)
    );
    for (const [id] of abandoned) await removeDataset(this.store, id);
    return abandoned.map(([id]) => id);
  }

  async #find(id: string): Promise<DatasetInfo | null> {
    if (id === "digits") return digitsInfo();
    if (Object.hasOwn(RELEASES, id)) return releaseInfo(id);
    return UPLOAD_ID.test(id) ? (await readManifest(this.store, id))?.info ?? null : null;
  }

  /** Returns the description of a data set, or the error if it is damaged. */
  #findReadable(id: string): Promise<DatasetInfo | DatasetDamagedError | null> {
    return this.#find(id).catch((error) => {
      if (error instanceof DatasetDamagedError) return error;
      throw error;
    });
  }

  /** Yields the ids in the order of the list, starting after an id if one is passed. */
  async *#ids(after?: string): AsyncGenerator<string> {
    const builtIn = after === undefined ? -1 : BUILT_IN.indexOf(after);
    const last = builtIn === -1 ? after : undefined;
    if (last === undefined) yield* BUILT_IN.slice(builtIn + 1);
    const start = last === undefined ? {} : { after: datasetKey(last, "~") };
    for await (const { key } of this.store.list("datasets/ds_", start)) {
      const [, id, name] = key.split("/");
      if (name === "meta.json" && (last === undefined || id > last)) yield id;
    }
  }
}

/** Groups values by `size`. The last group may be shorter. */
async function* inGroups<T>(values: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const value of values) {
    group.push(value);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
