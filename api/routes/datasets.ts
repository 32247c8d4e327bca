/**
 * `/v1/datasets`: upload, list, inspect, delete.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { BUILT_IN } from "../../data/datasets/catalogue.ts";
import { DatasetNotFoundError } from "../../data/datasets/dataset.ts";
import { checkCursor } from "../http/cursor.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { IDEMPOTENCY_KEY, parseIdempotencyKey } from "../http/idempotency.ts";
import { jsonContent } from "../openapi/content.ts";
import { header, location } from "../openapi/headers.ts";
import { linksTo } from "../openapi/links.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import {
  datasetListQuery,
  datasetListSchema,
  datasetListWire,
  datasetSchema,
  datasetUploadSchema,
  datasetWire,
} from "../schemas/dataset.ts";
import { datasetParams } from "../schemas/ids.ts";
import { listOf } from "../schemas/list.ts";
import { problems } from "../http/problemResponses.ts";
import { storeDatasetUpload } from "../requests/datasetUpload.ts";

const tags = ["Datasets"];

async function datasetExists({ datasets }: Services, id: string): Promise<boolean> {
  if (await datasets.hasUpload(id)) return true;
  try {
    await datasets.info(id);
    return true;
  } catch (error) {
    if (error instanceof DatasetNotFoundError) return false;
    throw error;
  }
}

/** Adds the routes. */
export function addDatasetRoutes(app: OpenAPIHono<ApiEnv>, services: Services): void {
  const { datasets } = services;

  addRoute(app, {
    method: "post",
    path: "/v1/datasets",
    operationId: "createDataset",
    tags,
    summary: "Upload a data set",
    description:
      "Send either IDX files (`train_images`, and optionally `train_labels`, `test_images` and `test_labels`) or one " +
      "`archive` of PNG and JPEG images in folders named after their classes. Without test images, the share " +
      "`held_out` of the training images becomes the test split. `resize` and `background` state how images that " +
      "are not square or have transparency are converted; `notes` reports their number.",
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
        description: "Validated and stored",
        headers: {
          ...location("data set"),
          "Idempotency-Replayed": header("`true` when an earlier request with this key created the data set"),
        },
        content: jsonContent(datasetSchema),
        links: linksTo("getDataset", "deleteDataset"),
      },
      ...problems(409, 504),
    },
  }, async (context) => {
    const key = parseIdempotencyKey(context.req.header("idempotency-key"));
    const { info, created } = await storeDatasetUpload(services, context.req.raw, key);
    if (!created) context.header("idempotency-replayed", "true");
    context.header("location", `/v1/datasets/${info.id}`);
    return context.json(datasetWire(info), 201);
  });

  addRoute(app, {
    method: "get",
    path: "/v1/datasets",
    operationId: "listDatasets",
    tags,
    summary: "List data sets: the built-in ones, then uploads from the oldest to the newest",
    request: { query: datasetListQuery },
    responses: { 200: { description: "A page", content: jsonContent(datasetListSchema) } },
  }, async (context, { query }) => {
    const page = await datasets.list(query);
    const exists = (id: string) => datasetExists(services, id);
    await checkCursor(query.after, page.data.length === 0, exists, services.now());
    const next = page.hasMore ? page.data.at(-1)!.id : null;
    return context.json({ ...listOf(page.data.map(datasetListWire), next), damaged: [...page.damaged] });
  });

  addRoute(app, {
    method: "get",
    path: "/v1/datasets/{id}",
    operationId: "getDataset",
    tags,
    summary: "Inspect a data set",
    request: { params: datasetParams },
    responses: {
      200: { description: "The data set", content: jsonContent(datasetSchema) },
      ...problems(409),
    },
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
    const activeJob = await services.jobs.beginDatasetDeletion(id);
    if (activeJob !== null) {
      throw new ProblemError(
        409,
        `Job '${activeJob.id}' uses this data set and is not finished: cancel it first`,
      );
    }
    await datasets.delete(id);
    return context.body(null, 204);
  });
}
