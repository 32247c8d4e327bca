/**
 * `/v1/datasets`: upload, list, look at, delete.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { BUILT_IN } from "../../data/datasets/catalogue.ts";
import { DatasetNotFoundError } from "../../data/datasets/dataset.ts";
import { createDataset } from "../../data/datasets/upload/createDataset.ts";
import type { UploadOptions } from "../../data/datasets/upload/uploadOptions.ts";
import { withForm } from "../body/multipart.ts";
import { checkCursor } from "../http/cursor.ts";
import type { ApiEnv, Services } from "../http/context.ts";
import { checked } from "../http/validation.ts";
import { IDEMPOTENCY_KEY, idempotencyKey } from "../http/idempotency.ts";
import { header, location } from "../openapi/headers.ts";
import { linksTo } from "../openapi/links.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import {
  DATASET_FILES,
  datasetFields,
  datasetListQuery,
  datasetListSchema,
  datasetListWire,
  datasetSchema,
  datasetUploadSchema,
  datasetWire,
} from "../schemas/dataset.ts";
import { datasetParams } from "../schemas/ids.ts";
import { listOf } from "../schemas/list.ts";
import { problems } from "../schemas/problem.ts";
import { limited } from "../http/timeLimit.ts";
import { uploadFingerprint, uploadOnce } from "../requests/uploadOnce.ts";

const tags = ["Datasets"];
const json = (schema: z.ZodType) => ({ "application/json": { schema } });

function ifNotFound(error: unknown): false {
  if (error instanceof DatasetNotFoundError) return false;
  throw error;
}

/** Adds the routes. */
export function addDatasetRoutes(app: OpenAPIHono<ApiEnv>, services: Services): void {
  const { datasets, objects, limits } = services;

  addRoute(app, {
    method: "post",
    path: "/v1/datasets",
    operationId: "createDataset",
    tags,
    summary: "Upload a data set",
    description:
      "Either IDX files (`train_images`, and `train_labels`, `test_images`, `test_labels` where there are " +
      "any) or one `archive` of PNG and JPEG images in folders named for their classes. Without test images " +
      "`held_out` of the training images are kept to measure on. `resize` and `background` state how images that " +
      "are not square or have transparency are changed wherever they are used; `notes` gives their number.",
    request: {
      headers: z.object({
        "Idempotency-Key": z.string().optional().openapi({
          pattern: IDEMPOTENCY_KEY.source,
          description:
            "An upload repeated with the same key, fields and files within 24 hours returns the same " +
            "data set, unless it was deleted",
        }),
      }),
      body: { required: true, content: { "multipart/form-data": { schema: datasetUploadSchema } } },
    },
    responses: {
      201: {
        description: "Checked and stored",
        headers: {
          ...location("data set"),
          "Idempotency-Replayed": header("`true` when an earlier request with this key created the data set"),
        },
        content: json(datasetSchema),
        links: linksTo("getDataset", "deleteDataset"),
      },
      ...problems(409, 504),
    },
  }, async (context) => {
    const key = idempotencyKey(context.req.header("idempotency-key"));
    const body = { bytes: limits.uploadBytes, idleMs: limits.bodyIdleMs, totalMs: limits.uploadTotalMs };
    const rules = {
      fileFields: DATASET_FILES,
      files: limits.uploadFiles,
      fileBytes: limits.uploadBytes,
      fields: limits.formFields,
      fieldBytes: limits.formFieldBytes,
    };
    const request = context.req.raw;
    const { info, created } = await withForm(request, body, rules, services.tempDir, ({ fields, files }) => {
      const { name, held_out: heldOut, seed, folders, ...preprocessing } = checked(datasetFields, fields);
      if (files.length === 0) {
        throw new ProblemError(422, `There is no file: send train_images (IDX) or archive`, {
          errors: [{ path: "train_images", message: "or archive must be given" }],
        });
      }
      const options: UploadOptions = { name, heldOut, seed, folders, preprocessing };
      return limited(request, limits.uploadStoreMs, async (signal) => {
        if (key === undefined) {
          return { info: await createDataset(files, options, objects, signal), created: true };
        }
        // The fields keep the names that stored fingerprints were computed with.
        const hashed = { name, heldOut, seed, folders, rule: preprocessing };
        const digest = await uploadFingerprint(hashed, files, signal);
        return await uploadOnce(
          services,
          key,
          digest,
          signal,
          (id, confirm) => createDataset(files, { ...options, id, confirm }, objects, signal),
        );
      });
    });
    if (!created) context.header("idempotency-replayed", "true");
    context.header("location", `/v1/datasets/${info.id}`);
    return context.json(datasetWire(info), 201);
  });

  addRoute(app, {
    method: "get",
    path: "/v1/datasets",
    operationId: "listDatasets",
    tags,
    summary: "List data sets: the built-in ones, then uploads by age",
    request: { query: datasetListQuery },
    responses: { 200: { description: "A page", content: json(datasetListSchema) } },
  }, async (context, { query }) => {
    const page = await datasets.list(query);
    const exists = async (id: string) =>
      await datasets.hasUpload(id) || await datasets.info(id).then(() => true, ifNotFound);
    await checkCursor(query.after, page.data.length === 0, exists, services.now());
    const next = page.hasMore ? page.data.at(-1)!.id : null;
    return context.json({ ...listOf(page.data.map(datasetListWire), next), damaged: [...page.damaged] });
  });

  addRoute(app, {
    method: "get",
    path: "/v1/datasets/{id}",
    operationId: "getDataset",
    tags,
    summary: "Look at a data set",
    request: { params: datasetParams },
    responses: { 200: { description: "The data set", content: json(datasetSchema) }, ...problems(409) },
  }, async (context, { params }) => context.json(datasetWire(await datasets.info(params.id))));

  addRoute(app, {
    method: "delete",
    path: "/v1/datasets/{id}",
    operationId: "deleteDataset",
    tags,
    summary: "Delete an uploaded data set",
    request: { params: datasetParams },
    responses: { 204: { description: "Deleted" }, ...problems(409) },
  }, async (context, { params }) => {
    const { id } = params;
    if (BUILT_IN.includes(id)) throw new ProblemError(409, `'${id}' is built in and cannot be deleted`);
    // A data set whose description cannot be read can be deleted as well.
    if (!await datasets.hasUpload(id)) throw new DatasetNotFoundError(id);
    const user = await services.jobs.beginDatasetDeletion(id);
    if (user !== null) {
      throw new ProblemError(
        409,
        `The job '${user.id}' uses this data set and is not finished: cancel it first`,
      );
    }
    await datasets.delete(id);
    return context.body(null, 204);
  });
}
