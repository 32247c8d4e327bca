/**
 * One place where a route's schema becomes both its documentation and its checks.
 *
 * @module
 */
import { createRoute, type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { negotiate } from "./negotiation.ts";
import type { ApiEnv } from "./context.ts";
import { checked } from "./validation.ts";
import { ProblemError, type ProblemStatus } from "./problem.ts";
import { problems } from "../schemas/problem.ts";

const nothing = z.strictObject({});
type Nothing = typeof nothing;

/** A route as OpenAPI has it, with the schemas of its path and query typed. */
export type ApiRoute<P extends z.ZodType, Q extends z.ZodType> = Omit<RouteConfig, "request"> & {
  /** Name of the operation in generated clients, such as `createJob`. It must not change in later versions. */
  readonly operationId: string;
  readonly request?: Omit<NonNullable<RouteConfig["request"]>, "params" | "query"> & {
    readonly params?: P;
    readonly query?: Q;
  };
};

/** A handler: the context, and path and query as their schemas understood them. */
export type ApiHandler<P extends z.ZodType, Q extends z.ZodType> = (
  context: Context<ApiEnv>,
  input: { readonly params: z.output<P>; readonly query: z.output<Q> },
) => Response | Promise<Response>;

function checkedQuery<Q extends z.ZodType>(context: Context<ApiEnv>, schema: Q): z.output<Q> {
  const given = Object.entries(context.req.queries());
  const errors = given.filter(([, values]) => values.length > 1)
    .map(([path]) => ({ path, message: "is given more than once" }));
  if (errors.length > 0) throw new ProblemError(422, `${errors[0].path}: ${errors[0].message}`, { errors });
  return checked(schema, Object.fromEntries(given.map(([name, values]) => [name, values[0]])));
}

/** The error statuses that a route can have besides those of its handler. */
function everyRoutesProblems(
  { method, path, request }: {
    readonly method: string;
    readonly path: string;
    readonly request?: { params?: unknown; body?: unknown };
  },
  negotiated: boolean,
): ProblemStatus[] {
  return [
    400,
    ...(request?.params === undefined ? [] : [404 as const]),
    ...(negotiated ? [406 as const] : []),
    ...(request?.body === undefined ? [] : [408 as const, 413 as const, 415 as const]),
    414,
    // A write from another web page, and a Host that is not this server's.
    ...(method === "get" ? [] : [403 as const]),
    421,
    422,
    431,
    500,
    // Jobs, checkpoints and data sets are read from the database or object storage.
    ...(path.startsWith("/v1/") ? [503 as const] : []),
  ];
}

/**
 * Adds a route. Before the handler runs, `Accept` is matched with the media types of the route's success responses,
 * an id of the wrong form answers 404, and a wrong or unknown query parameter 422.
 */
export function addRoute<P extends z.ZodType = Nothing, Q extends z.ZodType = Nothing>(
  app: OpenAPIHono<ApiEnv>,
  config: ApiRoute<P, Q>,
  handler: ApiHandler<P, Q>,
): void {
  const success = Object.entries(config.responses).filter(([status]) => status.startsWith("2"));
  const offered = success.flatMap(([, response]) =>
    Object.keys(("content" in response && response.content) || {})
  );
  const route = createRoute({
    ...config,
    responses: { ...problems(...everyRoutesProblems(config, offered.length > 0)), ...config.responses },
  } as RouteConfig);
  app.openAPIRegistry.registerPath(route);
  const params = (config.request?.params ?? nothing) as P;
  const query = (config.request?.query ?? nothing) as Q;
  app.on(route.method.toUpperCase(), route.getRoutingPath(), (context) => {
    context.set("route", config.path);
    const path = params.safeParse(context.req.param());
    if (!path.success) throw new ProblemError(404, "There is nothing under this id");
    if (offered.length > 0) {
      context.set("accepted", negotiate(context.req.header("accept"), [...new Set(offered)]));
      if (new Set(offered).size > 1) context.header("vary", "Accept");
    }
    return handler(context, { params: path.data, query: checkedQuery(context, query) });
  });
}

/** The routes that {@linkcode addRoute} has added so far. */
export function routesOf(app: OpenAPIHono<ApiEnv>): RouteConfig[] {
  return app.openAPIRegistry.definitions.flatMap((item) => item.type === "route" ? [item.route] : []);
}

/** Answers what no route took: 405 with `Allow` where the path is known. Called once all routes are added. */
export function closeRoutes(app: OpenAPIHono<ApiEnv>): void {
  const methods = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === "ALL") continue;
    const allowed = methods.get(path) ?? new Set();
    allowed.add(method);
    if (method === "GET") allowed.add("HEAD");
    methods.set(path, allowed.add("OPTIONS"));
  }
  for (const [path, allowed] of methods) {
    const allow = [...allowed].sort().join(", ");
    app.all(path, (context) => {
      context.set("route", path);
      if (context.req.method === "OPTIONS") return context.body(null, 204, { allow });
      throw new ProblemError(405, `${context.req.method.slice(0, 20)} is not one of: ${allow}`, {
        headers: { allow },
      });
    });
  }
}
