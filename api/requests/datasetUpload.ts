/**
 * Reads an upload and stores it as a data set.
 *
 * @module
 */
import type { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { type DatasetInfo, DatasetNotFoundError } from "../../data/datasets/dataset.ts";
import { createDataset, newDatasetId } from "../../data/datasets/upload/createDataset.ts";
import type { UploadOptions } from "../../data/datasets/upload/uploadOptions.ts";
import { withForm } from "../body/multipart.ts";
import { withTimeLimit } from "../http/timeLimit.ts";
import { validate } from "../http/validation.ts";
import { DATASET_FILES, datasetFields } from "../schemas/dataset.ts";
import type { Services } from "../services.ts";
import { uploadHash, uploadOnce } from "./uploadOnce.ts";

/**
 * Stores the files of a form as a data set.
 *
 * @param idempotencyKey requests with the same key and content create one data set
 * @returns the data set; `created` is false when an earlier request created it
 * @throws {ProblemError} for a form that is invalid or too large, 504 when the time is over
 * @throws {DatasetError} as `createDataset` does
 */
export async function storeDatasetUpload(
  services: Services,
  request: Request,
  idempotencyKey: string | undefined,
): Promise<{ info: DatasetInfo; created: boolean }> {
  const { limits, objects } = services;
  const bodyLimits = { bytes: limits.uploadBytes, idleMs: limits.bodyIdleMs, totalMs: limits.uploadTotalMs };
  const rules = {
    fileFields: DATASET_FILES,
    files: limits.uploadFiles,
    fileBytes: limits.uploadBytes,
    fields: limits.formFields,
    fieldBytes: limits.formFieldBytes,
  };
  return await withForm(request, bodyLimits, rules, services.tempDir, ({ fields, files }) => {
    const { name, held_out: heldOut, seed, folders, ...preprocessing } = validate(datasetFields, fields);
    const options: UploadOptions = { name, heldOut, seed, folders, preprocessing };
    return withTimeLimit(request, limits.uploadStoreMs, async (signal) => {
      if (idempotencyKey === undefined) {
        return { info: await createDataset(files, options, objects, signal), created: true };
      }
      // The fields keep the names that stored hashes were computed with.
      const fieldsToHash = { name, heldOut, seed, folders, rule: preprocessing };
      const fingerprint = await uploadHash(fieldsToHash, files, signal), id = newDatasetId();
      const { resource: info, created } = await uploadOnce(services, {
        claim: { table: "upload", key: idempotencyKey, fingerprint, id },
        find: (id) => findDataset(services.datasets, id),
        store: (confirm) => createDataset(files, { ...options, id, confirm }, objects, signal),
      }, signal);
      return { info, created };
    });
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
