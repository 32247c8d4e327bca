/**
 * `/v1/jobs/{id}/checkpoints` and `/v1/checkpoints`: list, inspect, delete.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { classNamesOf } from "../../jobs/artifacts/classNames.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { JobFailure } from "../../jobs/failure.ts";
import { CheckpointNotFoundError } from "../../jobs/store/store.ts";
import { checkCursor } from "../http/cursor.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { jsonContent } from "../openapi/content.ts";
import { linksTo } from "../openapi/links.ts";
import { ProblemError } from "../http/problem.ts";
import { problems } from "../http/problemResponses.ts";
import { addRoute } from "../http/route.ts";
import {
  checkpointListQuery,
  checkpointListSchema,
  checkpointSchema,
  checkpointWire,
} from "../schemas/checkpoint.ts";
import { checkpointIdSchema, checkpointParams, jobParams, pageLimit } from "../schemas/ids.ts";
import { listOf } from "../schemas/list.ts";
import { requireCheckpoint, requireJob } from "../requests/lookup.ts";

/** Adds the routes. */
export function addCheckpointRoutes(app: OpenAPIHono<ApiEnv>, services: Services): void {
  const tags = ["Checkpoints"];
  addRoute(app, {
    method: "get",
    path: "/v1/jobs/{id}/checkpoints",
    operationId: "listJobCheckpoints",
    tags,
    summary: "List a job's checkpoints, newest first",
    request: {
      params: jobParams,
      query: z.strictObject({ limit: pageLimit, after: checkpointIdSchema.optional() }),
    },
    responses: {
      200: { description: "A page", content: jsonContent(checkpointListSchema) },
    },
  }, async (context, { params, query }) => {
    await requireJob(services, params.id);
    const page = await services.jobs.listCheckpoints(params.id, query);
    const cursor = query.after === undefined ? null : await services.jobs.getCheckpoint(query.after);
    const isForeign = cursor !== null && cursor.jobId !== params.id;
    const exists = () => Promise.resolve(cursor !== null && !isForeign);
    await checkCursor(query.after, isForeign || page.data.length === 0, exists, services.now());
    return context.json(listOf(page.data.map(checkpointWire), page.next));
  });

  addRoute(app, {
    method: "get",
    path: "/v1/checkpoints",
    operationId: "listCheckpoints",
    tags,
    summary: "List checkpoints of all jobs and imported ones, newest first",
    request: { query: checkpointListQuery },
    responses: { 200: { description: "A page", content: jsonContent(checkpointListSchema) } },
  }, async (context, { query }) => {
    const page = await services.jobs.listAllCheckpoints(query);
    const exists = async (id: string) => {
      const cursor = await services.jobs.getCheckpoint(id);
      return cursor !== null && (!query.imported || cursor.jobId === null);
    };
    await checkCursor(query.after, page.data.length === 0, exists, services.now());
    return context.json(listOf(page.data.map(checkpointWire), page.next));
  });

  addRoute(app, {
    method: "delete",
    path: "/v1/checkpoints/{id}",
    operationId: "deleteCheckpoint",
    tags,
    summary: "Delete an imported checkpoint",
    description: "The checkpoints of a job are deleted with the job, see `DELETE /v1/jobs/{id}`.",
    request: { params: checkpointParams },
    responses: { 204: { description: "Deleted" }, ...problems(409) },
  }, async (context, { params }) => {
    // An absent checkpoint is this path's 404. Elsewhere it is a field of the request.
    await services.jobs.deleteCheckpoint(params.id, services.objects).catch((error) => {
      throw error instanceof CheckpointNotFoundError ? new ProblemError(404, error.message) : error;
    });
    return context.body(null, 204);
  });

  addRoute(app, {
    method: "get",
    path: "/v1/checkpoints/{id}",
    operationId: "getCheckpoint",
    tags,
    summary: "Inspect a checkpoint",
    request: { params: checkpointParams },
    responses: {
      200: {
        description: "The checkpoint",
        content: jsonContent(checkpointSchema),
        links: linksTo("downloadCheckpoint"),
      },
    },
  }, async (context, { params }) => {
    const checkpoint = await requireCheckpoint(services, params.id);
    const classNames = await readClassNames(services, checkpoint);
    return context.json(checkpointWire({ ...checkpoint, classNames }));
  });
}

/** Returns the class names of a checkpoint; null when its file cannot be read. */
async function readClassNames(
  { objects }: Services,
  checkpoint: Checkpoint,
): Promise<readonly string[] | null> {
  try {
    return await classNamesOf(objects, checkpoint);
  } catch (error) {
    if (error instanceof JobFailure) return null;
    throw error;
  }
}
