/**
 * `Idempotency-Key` of uploads: requests with the same key and content create one data set.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import type { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { type DatasetInfo, DatasetNotFoundError } from "../../data/datasets/dataset.ts";
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { newDatasetId } from "../../data/datasets/upload/createDataset.ts";
import { pause } from "../../data/backoff.ts";
import {
  completeUpload,
  releaseUpload,
  renewUpload,
  RESERVATION_MS,
  reserveUpload,
  type UploadClaim,
} from "../../jobs/store/creation/uploads.ts";
import type { Services } from "../services.ts";
import { requestHash } from "../http/idempotency.ts";
import { ProblemError } from "../http/problem.ts";

/** Interval at which a request checks whether another one with its key is done, in milliseconds. */
const POLL_MS = 200;

/**
 * Returns the hash of an upload's fields and of its files' bytes. The first file's name is included if it names the
 * data set.
 */
export async function uploadHash(
  fields: { readonly name?: string },
  files: readonly UploadedFile[],
  signal: AbortSignal,
): Promise<string> {
  const contents: Record<string, string> = {};
  for (const { field, path } of files) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(path)) {
      signal.throwIfAborted();
      hash.update(chunk);
    }
    contents[field] = hash.digest("hex");
  }
  return await requestHash({
    fields,
    contents,
    filename: fields.name === undefined ? files[0]?.filename : null,
  });
}

/** Returns a data set; null when it does not exist or is being deleted. @throws {DatasetDamagedError} */
async function findDataset(datasets: DatasetCatalogue, id: string): Promise<DatasetInfo | null> {
  try {
    return await datasets.info(id);
  } catch (error) {
    if (error instanceof DatasetNotFoundError) return null;
    throw error;
  }
}

/** Stores a data set under an id. Calls `confirm` before the data set becomes visible, and stops if that throws. */
export type StoreDataset = (id: string, confirm: () => Promise<void>) => Promise<DatasetInfo>;

/**
 * Stores a data set once per key. While another request with the same key is storing, this one waits for it.
 *
 * @returns the data set; `created` is false when an earlier request created it
 * @throws {IdempotencyConflictError} when the key is used for another request
 */
export async function uploadOnce(
  { jobs, datasets }: Services,
  key: string,
  hash: string,
  signal: AbortSignal,
  store: StoreDataset,
): Promise<{ info: DatasetInfo; created: boolean }> {
  const claim: UploadClaim = { key, fingerprint: hash, datasetId: newDatasetId() };
  while (true) {
    signal.throwIfAborted();
    const reservation = await reserveUpload(
      jobs,
      claim,
      async (id) => await findDataset(datasets, id) !== null,
    );
    if (reservation.type === "reserved") break;
    const info = reservation.type === "found" ? await findDataset(datasets, reservation.datasetId) : null;
    if (info !== null) return { info, created: false };
    await pause(POLL_MS, signal);
  }
  // A failed renewal is not an error: the next one, or the check before the data set becomes visible, repeats it.
  const timer = setInterval(() => renewUpload(jobs, claim).catch(() => {}), RESERVATION_MS / 3);
  let info: DatasetInfo;
  try {
    info = await store(claim.datasetId, async () => {
      if (await renewUpload(jobs, claim)) return;
      throw new ProblemError(
        409,
        "Another request with this Idempotency-Key is storing the upload: send this one again",
      );
    });
  } catch (error) {
    clearInterval(timer);
    // If the release fails, the key becomes free when the reservation expires.
    await releaseUpload(jobs, claim).catch(() => {});
    throw error;
  }
  clearInterval(timer);
  await completeUpload(jobs, claim);
  return { info, created: true };
}
