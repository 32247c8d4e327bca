/**
 * `GET /v1/jobs/{id}/events`: a JSON page or server-sent events, depending on `Accept`.
 *
 * @module
 */
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { JobEvent } from "../../jobs/store/events/event.ts";
import type { ApiEnv } from "../http/context.ts";
import type { Services } from "../services.ts";
import { encodeEvent, eventStream } from "../http/eventStream.ts";
import { validate } from "../http/validation.ts";
import { ProblemError } from "../http/problem.ts";
import { addRoute } from "../http/route.ts";
import { eventListSchema, eventStreamSchema, eventWire } from "../schemas/event.ts";
import { jobParams, wholeNumber } from "../schemas/ids.ts";
import { listOf } from "../schemas/list.ts";
import { requireJob } from "../requests/lookup.ts";

const seq = wholeNumber(0, Number.MAX_SAFE_INTEGER - 1);
/** Event ids are text in the protocol; in this service they are whole numbers. */
const lastEventId = z.string().regex(/^\d{0,15}$/, "must be the id of an event, a whole number").optional();

/** All streams of a job emit the same event objects, so each event is encoded once. */
const encoded = new WeakMap<JobEvent, Uint8Array<ArrayBuffer>>();

function encode(event: JobEvent): Uint8Array<ArrayBuffer> {
  let bytes = encoded.get(event);
  if (bytes === undefined) encoded.set(event, bytes = encodeEvent(event.seq, event.type, eventWire(event)));
  return bytes;
}

/** Adds the route. */
export function addEventRoute(app: OpenAPIHono<ApiEnv>, services: Services): void {
  let openStreams = 0;

  addRoute(app, {
    method: "get",
    path: "/v1/jobs/{id}/events",
    operationId: "listJobEvents",
    tags: ["Jobs"],
    summary: "List or stream the events of a job",
    description:
      "With `Accept: text/event-stream` the response streams events until the job is finished. The id of each is its " +
      "`seq`, so that `Last-Event-ID` continues an interrupted stream.",
    request: {
      params: jobParams,
      query: z.strictObject({
        after: seq.optional().openapi({ description: "`seq` after which to begin" }),
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
    const { "last-event-id": lastSeq } = validate(
      z.object({ "last-event-id": lastEventId }),
      { "last-event-id": context.req.header("last-event-id") },
    );
    await requireJob(services, params.id);
    if (context.get("mediaType") === "application/json") {
      // One extra event shows whether there is another page.
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
    // The response to HEAD has no body, so its stream would never be read or closed.
    if (context.req.method === "HEAD") return context.body(null, 200, headers);
    if (openStreams >= services.limits.streams) {
      throw new ProblemError(503, `${openStreams} event streams are already open: poll, or try again later`, {
        headers: { "retry-after": "10" },
      });
    }
    services.metrics.streams.set(++openStreams);
    const after = lastSeq ? Number(lastSeq) : query.after ?? 0;
    const body = eventStream({
      follow: (signal) => services.jobs.follow(params.id, after, signal),
      encode,
      heartbeatMs: services.limits.heartbeatMs,
      stalledMs: services.limits.stalledMs,
      disconnected: context.req.raw.signal,
      stopping: services.stopping,
      onClose: () => services.metrics.streams.set(--openStreams),
    });
    return context.body(body, 200, headers);
  });
}
