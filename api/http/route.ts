/**
 * Registers routes. The schemas of a route document it in OpenAPI and validate its requests.
 *
 * @module
 */
import { createRoute, type OpenAPIHono, type RouteConfig, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { ApiEnv } from "./context.ts";
import { negotiateMediaType } from "./negotiation.ts";
import { methodProblem, ProblemError, type ProblemStatus } from "./problem.ts";
import { problems } from "./problemResponses.ts";
import { validate } from "./validation.ts";

const empty = z.strictObject({});
type Empty = typeof empty;

/** The OpenAPI description of a route, with typed schemas of its path and query. */
export type ApiRoute<P extends z.ZodType, Q extends z.ZodType> = Omit<RouteConfig, "request"> & {
  /** Name of the operation in generated clients, such as `createJob`. It must not change in later versions. */
  readonly operationId: string;
  readonly request?: Omit<NonNullable<RouteConfig["request"]>, "params" | "query"> & {
    readonly params?: P;
    readonly query?: Q;
  };
};

/** A handler. It receives the context and the validated path and query parameters. */
export type ApiHandler<P extends z.ZodType, Q extends z.ZodType> = (
  context: Context<ApiEnv>,
  input: { readonly params: z.output<P>; readonly query: z.output<Q> },
) => Response | Promise<Response>;

function validateQuery<Q extends z.ZodType>(context: Context<ApiEnv>, schema: Q): z.output<Q> {
  const parameters = Object.entries(context.req.queries());
  const errors = parameters.filter(([, values]) => values.length > 1)
    .map(([path]) => ({ path, message: "is given more than once" }));
  if (errors.length > 0) throw new ProblemError(422, `${errors[0].path}: ${errors[0].message}`, { errors });
  return validate(schema, Object.fromEntries(parameters.map(([name, values]) => [name, values[0]])));
}

/** Returns the problem statuses that a route can have in addition to those of its handler. */
function commonProblems(
  { method, path, request }: {
    readonly method: string;
    readonly path: string;
    readonly request?: { params?: unknown; body?: unknown };
  },
  isNegotiated: boolean,
): ProblemStatus[] {
  return [
    400,
    ...(request?.params === undefined ? [] : [404 as const]),
    ...(isNegotiated ? [406 as const] : []),
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
 * Adds a route. Before the handler runs, the media type of the response is negotiated, an id of the wrong form is
 * answered with 404, and a wrong or unknown query parameter with 422.
 */
export function addRoute<P extends z.ZodType = Empty, Q extends z.ZodType = Empty>(
  app: OpenAPIHono<ApiEnv>,
  config: ApiRoute<P, Q>,
  handler: ApiHandler<P, Q>,
): void {
  const successes = Object.entries(config.responses).filter(([status]) => status.startsWith("2"));
  const mediaTypes = [
    ...new Set(
      successes.flatMap(([, response]) => Object.keys(("content" in response && response.content) || {})),
    ),
  ];
  const route = createRoute({
    ...config,
    responses: { ...problems(...commonProblems(config, mediaTypes.length > 0)), ...config.responses },
  } as RouteConfig);
  app.openAPIRegistry.registerPath(route);
  const params = (config.request?.params ?? empty) as P;
  const query = (config.request?.query ?? empty) as Q;
  app.on(route.method.toUpperCase(), route.getRoutingPath(), (context) => {
    context.set("route", config.path);
    const path = params.safeParse(context.req.param());
    if (!path.success) throw new ProblemError(404, "There is no resource with this id");
    if (mediaTypes.length > 0) {
      context.set("mediaType", negotiateMediaType(context.req.header("accept"), mediaTypes));
      if (mediaTypes.length > 1) context.header("vary", "Accept");
    }
    return handler(context, { params: path.data, query: validateQuery(context, query) });
  });
}

/** Returns the routes that {@linkcode addRoute} has added. */
export function documentedRoutes(app: OpenAPIHono<ApiEnv>): RouteConfig[] {
  return app.openAPIRegistry.definitions.flatMap((item) => item.type === "route" ? [item.route] : []);
}

/**
 * Answers other methods of the added paths: OPTIONS with 204 and any other with 405, both with `Allow`. Must be called
 * after all routes are added.
 */
export function addMethodFallbacks(app: OpenAPIHono<ApiEnv>): void {
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
      throw methodProblem(context.req.method, allow);
    });
  }
}
