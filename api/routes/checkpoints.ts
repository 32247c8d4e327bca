/**
 * `/v1/jobs/{id}/checkpoints` and `/v1/checkpoints/{id}`.
 *
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "@hono/zod-openapi";
import { classNamesOf } from "../../jobs/artifacts/classNames.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { JobFailure } from "../../jobs/failure.ts";
import { checkCursor } from "../http/cursor.ts";
import type { ApiEnv, Services } from "../http/context.ts";
import { linksTo } from "../openapi/links.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { checkpointListSchema, checkpointSchema, checkpointWire } from "../schemas/checkpoint.ts";
import { checkpointIdSchema, checkpointParams, jobParams, pageLimit } from "../schemas/ids.ts";
import { listOf } from "../schemas/list.ts";
import { jobOr404 } from "./jobs.ts";

/** @throws {ProblemError} 404 */
export async function checkpointOr404(services: Services, id: string): Promise<Checkpoint> {
  const checkpoint = await services.jobs.getCheckpoint(id);
  if (checkpoint === null) throw new ProblemError(404, `There is no checkpoint '${id}'`);
  return checkpoint;
}

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
      200: { description: "A page", content: { "application/json": { schema: checkpointListSchema } } },
    },
  }, async (context, { params, query }) => {
    await jobOr404(services, params.id);
    const page = await services.jobs.listCheckpoints(params.id, query);
    const cursor = query.after === undefined ? null : await services.jobs.getCheckpoint(query.after);
    const isForeign = cursor !== null && cursor.jobId !== params.id;
    const exists = () => Promise.resolve(cursor !== null && !isForeign);
    await checkCursor(query.after, isForeign || page.data.length === 0, exists, services.now());
    return context.json(listOf(page.data.map(checkpointWire), page.next));
  });

  addRoute(app, {
    method: "get",
    path: "/v1/checkpoints/{id}",
    operationId: "getCheckpoint",
    tags,
    summary: "Look at a checkpoint",
    request: { params: checkpointParams },
    responses: {
      200: {
        description: "The checkpoint",
        content: { "application/json": { schema: checkpointSchema } },
        links: linksTo("downloadCheckpoint"),
      },
    },
  }, async (context, { params }) => {
    const checkpoint = await checkpointOr404(services, params.id);
    const classNames = await namesOrNull(services, checkpoint);
    return context.json(checkpointWire({ ...checkpoint, classNames }));
  });
}

/** Class names of a checkpoint; null when its file cannot be read. */
async function namesOrNull({ objects }: Services, checkpoint: Checkpoint): Promise<readonly string[] | null> {
  try {
    return await classNamesOf(objects, checkpoint);
  } catch (error) {
    if (error instanceof JobFailure) return null;
    throw error;
  }
}
