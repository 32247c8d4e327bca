/**
 * `GET /v1/jobs/{id}/events`: a JSON page, or server-sent events, as `Accept` says.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { ApiEnv, Services } from "../http/context.ts";
import { eventStream } from "../http/eventStream.ts";
import { checked } from "../http/validation.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { eventListSchema, eventStreamSchema, eventWire } from "../schemas/event.ts";
import { jobParams, wholeNumber } from "../schemas/ids.ts";
import { listOf } from "../schemas/list.ts";
import { jobOr404 } from "./jobs.ts";

const seq = wholeNumber(0, Number.MAX_SAFE_INTEGER - 1);
/** The protocol's event ids are text; this service uses whole numbers. */
const lastEventId = z.string().regex(/^\d{0,15}$/, "must be the id of an event, a whole number").optional();

/** Adds the route. */
export function addEventRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  let open = 0;

  addRoute(app, {
    method: "get",
    path: "/v1/jobs/{id}/events",
    operationId: "listJobEvents",
    tags: ["Jobs"],
    summary: "What happened to a job",
    description:
      "With `Accept: text/event-stream` the events come as they happen, until the job is finished. " +
      "Each has its `seq` as id, so that `Last-Event-ID` continues a stream that broke off.",
    request: {
      params: jobParams,
      query: z.strictObject({
        after: seq.optional().openapi({ description: "`seq` of the last event known" }),
        limit: wholeNumber(1, 500).prefault("100"),
      }),
      headers: z.object({
        "Last-Event-ID": lastEventId.describe("`seq` of the last event that an interrupted stream delivered"),
      }),
    },
    responses: {
      200: {
        description: "The events",
        content: {
          "application/json": { schema: eventListSchema },
          "text/event-stream": { schema: eventStreamSchema },
        },
      },
    },
  }, async (context, { params, query }) => {
    const { "last-event-id": last } = checked(
      z.object({ "last-event-id": lastEventId }),
      { "last-event-id": context.req.header("last-event-id") },
    );
    await jobOr404(services, params.id);
    if (context.get("accepted") === "application/json") {
      // One more than asked for tells whether there is another page.
      const events = await services.jobs.events(params.id, { after: query.after, limit: query.limit + 1 });
      const page = events.slice(0, query.limit);
      const next = events.length > page.length ? String(page.at(-1)!.seq) : null;
      return context.json(listOf(page.map(eventWire), next));
    }
    const headers = {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    };
    // Nobody would ever read or close the stream of a HEAD.
    if (context.req.method === "HEAD") return context.body(null, 200, headers);
    if (open >= services.limits.streams) {
      throw new ProblemError(503, `${open} event streams are open already: poll, or try again later`, {
        headers: { "retry-after": "10" },
      });
    }
    services.metrics.streams.set(++open);
    const closed = () => services.metrics.streams.set(--open);
    const body = eventStream(
      services,
      params.id,
      last ? Number(last) : query.after ?? 0,
      context.req.raw.signal,
      closed,
    );
    return context.body(body, 200, headers);
  });
}
