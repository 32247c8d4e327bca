/**
 * The list of all routes, in the order of the OpenAPI document.
 *
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { addCheckpointContentRoute } from "./checkpointContent.ts";
import { addCheckpointImportRoute } from "./checkpointImport.ts";
import { addCheckpointRoutes } from "./checkpoints.ts";
import { addClassificationRoute } from "./classifications.ts";
import { addDatasetRoutes } from "./datasets.ts";
import { addEmbeddingRoute } from "./embeddings.ts";
import { addEventRoute } from "./events.ts";
import { addHealthRoutes } from "./health.ts";
import { addJobMetricsRoute } from "./jobMetrics.ts";
import { addJobResultRoute } from "./jobResults.ts";
import { addJobRoutes } from "./jobs.ts";
import { addOpenApiRoute } from "./openapi.ts";
import { addReconstructionRoute } from "./reconstructions.ts";

/** Each adds the routes of one resource. */
export const ROUTES: readonly ((app: OpenAPIHono<ApiEnv>, services: Services) => void)[] = [
  addJobRoutes,
  addEventRoute,
  addJobMetricsRoute,
  addJobResultRoute,
  addCheckpointImportRoute,
  addCheckpointRoutes,
  addCheckpointContentRoute,
  addDatasetRoutes,
  addReconstructionRoute,
  addClassificationRoute,
  addEmbeddingRoute,
  addHealthRoutes,
  // The OpenAPI document describes the routes above.
  addOpenApiRoute,
];
