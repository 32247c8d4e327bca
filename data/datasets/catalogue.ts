/**
 * Every data set there is: the built-in ones and the uploads.
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
import { downloadRelease, releaseInfo, RELEASES } from "./builtIn/mnist.ts";
import { StoredDataset } from "./stored/storedDataset.ts";
import { isBeingRemoved, REMOVAL_MARK, removeDataset } from "./stored/removal.ts";
import { type DatasetSettings, DEFAULT_DATASET_SETTINGS } from "./settings.ts";
import { datasetKey, readManifest } from "./stored/manifest.ts";
import { DatasetObjects } from "./stored/datasetObjects.ts";

/** Names of the data sets that are always there. */
export const BUILT_IN: readonly string[] = ["digits", ...Object.keys(RELEASES)];

const UPLOAD = /^ds_[0-9A-Z]{26}$/;
/**
 * Age at which objects of a data set without a description belong to a killed upload, in milliseconds. An upload may
 * take an hour to be stored (`uploadStoreMs` of the API's limits).
 */
const ABANDONED_MS = 2 * 3_600_000;
/** Age at which a removal counts as interrupted, in milliseconds. Until then the client may repeat it. */
const CUT_OFF_MS = 60_000;
/** Descriptions read at a time for a list. */
const READS_AT_ONCE = 8;

/** A page of data sets. */
export interface DatasetPage {
  readonly data: readonly DatasetInfo[];
  /** Data sets in the range of the page that cannot be read: their ids and the errors. */
  readonly damaged: readonly { readonly id: string; readonly message: string }[];
  readonly hasMore: boolean;
}

/** Data sets by id. */
export class DatasetCatalogue {
  constructor(readonly store: ObjectStore, readonly settings: DatasetSettings = DEFAULT_DATASET_SETTINGS) {}

  /** The built-in data sets, then the uploads from the oldest on. @param query `after`: the last id of the page before */
  async list({ limit = 20, after }: { limit?: number; after?: string } = {}): Promise<DatasetPage> {
    const data: DatasetInfo[] = [], damaged: { id: string; message: string }[] = [];
    for await (const ids of inBatches(this.#ids(after), READS_AT_ONCE)) {
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

  /** The description of a data set. @throws {DatasetNotFoundError} @throws {DatasetDamagedError} */
  async info(id: string): Promise<DatasetInfo> {
    const info = await this.#find(id);
    if (info === null) throw new DatasetNotFoundError(id);
    return info;
  }

  /**
   * The description of a data set, after a check that all its objects are whole.
   *
   * @throws {DatasetNotFoundError} @throws {DatasetDamagedError} naming what is missing or cut
   */
  async verify(id: string): Promise<DatasetInfo> {
    const stored = UPLOAD.test(id) ? await readManifest(this.store, id) : null;
    if (stored === null) return await this.info(id);
    await new DatasetObjects(this.store, id).check(stored);
    return stored.info;
  }

  /**
   * Opens a data set to be read; `mnist` and `fashion-mnist` are downloaded at their first use.
   *
   * @throws {DatasetNotFoundError} @throws {DatasetError}
   */
  async open({ id, size, seed }: DatasetRef, signal?: AbortSignal): Promise<Dataset> {
    if (id === "digits") return openDigits(size, seed, this.settings.maxSplitBytes);
    if (Object.hasOwn(RELEASES, id)) {
      const { storage } = await downloadRelease(id, this.store, this.settings, signal);
      return new StoredDataset(this.store, { info: releaseInfo(id), storage }, this.settings.maxSplitBytes);
    }
    const stored = UPLOAD.test(id) ? await readManifest(this.store, id) : null;
    if (stored === null) throw new DatasetNotFoundError(id);
    return new StoredDataset(this.store, stored, this.settings.maxSplitBytes);
  }

  /** Whether an upload with this id exists, damaged or not, or the remains of its interrupted deletion. */
  async hasUpload(id: string): Promise<boolean> {
    if (!UPLOAD.test(id)) return false;
    return await this.store.head(datasetKey(id, "meta.json")) !== null ||
      await isBeingRemoved(this.store, id);
  }

  /** Deletes an upload, damaged or not. @throws {DatasetNotFoundError} also for built-in data sets */
  async delete(id: string): Promise<void> {
    if (!await this.hasUpload(id)) throw new DatasetNotFoundError(id);
    await removeDataset(this.store, id);
  }

  /**
   * Removes what killed uploads and deletions left behind.
   *
   * @param now milliseconds since 1970
   * @returns ids of the data sets whose objects were removed
   */
  async sweep(now = Date.now()): Promise<string[]> {
    const newest = new Map<string, number>();
    const described = new Set<string>(), marked = new Map<string, number>();
    for await (const { key, modifiedAt } of this.store.list("datasets/ds_")) {
      const [, id, name] = key.split("/");
      newest.set(id, Math.max(newest.get(id) ?? 0, modifiedAt.getTime()));
      if (name === "meta.json") described.add(id);
      if (name === REMOVAL_MARK) marked.set(id, modifiedAt.getTime());
    }
    const abandoned = [...newest].filter(([id, at]) =>
      now - (marked.get(id) ?? now) >= CUT_OFF_MS || (!described.has(id) && now - at > ABANDONED_MS)
    );
    for (const [id] of abandoned) await removeDataset(this.store, id);
    return abandoned.map(([id]) => id);
  }

  async #find(id: string): Promise<DatasetInfo | null> {
    if (id === "digits") return digitsInfo();
    if (Object.hasOwn(RELEASES, id)) return releaseInfo(id);
    return UPLOAD.test(id) ? (await readManifest(this.store, id))?.info ?? null : null;
  }

  /** The description, or the error if it is damaged. */
  #findReadable(id: string): Promise<DatasetInfo | DatasetDamagedError | null> {
    return this.#find(id).catch((error) => {
      if (error instanceof DatasetDamagedError) return error;
      throw error;
    });
  }

  /** Ids in the order of the list, after the given id or from the start. */
  async *#ids(after?: string): AsyncGenerator<string> {
    const builtIn = after === undefined ? -1 : BUILT_IN.indexOf(after);
    const last = builtIn === -1 ? after : undefined;
    if (last === undefined) yield* BUILT_IN.slice(builtIn + 1);
    const place = last === undefined ? {} : { after: datasetKey(last, "~") };
    for await (const { key } of this.store.list("datasets/ds_", place)) {
      const [, id, name] = key.split("/");
      if (name === "meta.json" && (last === undefined || id > last)) yield id;
    }
  }
}

/** The values in groups of `size`, the last one shorter. */
async function* inBatches<T>(values: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let batch: T[] = [];
  for await (const value of values) {
    batch.push(value);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
