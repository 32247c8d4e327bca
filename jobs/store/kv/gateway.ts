/**
 * A local gateway to a database over HTTP.
 *
 * Deno's client of `denokv` retries a failed request five times a second without a limit, prints a line for each
 * attempt, and continues after the database is closed. It does not retry after an answer with a 4xx status. The gateway
 * limits the time of each request, and answers with such a status in an outage.
 *
 * It listens on 127.0.0.1. Requests through it still need the access token of the database.
 *
 * @module
 */

/** Time limit of a request, in milliseconds. */
const REQUEST_MS = 4_000;
/** Status of the answer in an outage: Failed Dependency (RFC 4918, section 11.4). */
const OUTAGE_STATUS = 424;
/** Time for which the client may use cached metadata in an outage, in milliseconds. */
const STALE_MS = 120_000;

interface Metadata {
  readonly version: number;
  readonly endpoints: readonly { readonly url: string; readonly consistency: string }[];
  readonly expiresAt: string;
}

/** A listening gateway. */
export interface KvGateway {
  /** The URL to open instead of the database's URL. */
  readonly url: string;
  /** Checks that the database answers. @throws when it does not */
  ping(): Promise<void>;
  /** Stops the gateway. */
  close(): Promise<void>;
}

/** Starts a gateway. @param upstream URL of the database */
export function startKvGateway(upstream: string, requestMs = REQUEST_MS): KvGateway {
  let endpoints: readonly string[] = [];
  let cached: Metadata | null = null;
  const ended = new AbortController();

  const send = async (url: string, request: Request, body: ArrayBuffer) => {
    const headers = new Headers(request.headers);
    for (const name of ["host", "connection", "content-length", "accept-encoding"]) headers.delete(name);
    const signal = AbortSignal.any([AbortSignal.timeout(requestMs), ended.signal]);
    const response = await fetch(url, { method: "POST", headers, body, signal }).catch((error) => {
      throw new Error(`Cannot reach ${upstream}: ${reasonOf(error)}`, { cause: error });
    });
    const content = await response.arrayBuffer();
    if (response.status >= 500 || response.status === 429) {
      throw new Error(
        `${upstream} answered ${response.status}: ${new TextDecoder().decode(content).slice(0, 200)}`,
      );
    }
    return { url: response.url, status: response.status, headers: response.headers, content };
  };

  /** Returns the endpoints of the database, with their addresses replaced by the gateway's. */
  const exchange = async (request: Request, body: ArrayBuffer): Promise<Response> => {
    let metadata: Metadata;
    try {
      const { url, status, content } = await send(upstream, request, body);
      const text = new TextDecoder().decode(content);
      if (status !== 200) return new Response(text, { status });
      metadata = JSON.parse(text);
      endpoints = metadata.endpoints.map((endpoint) => new URL(endpoint.url, url).href);
      cached = metadata;
    } catch (error) {
      if (cached === null) throw error;
      // The client would fail all requests for many seconds after a failed exchange of metadata.
      metadata = { ...cached, expiresAt: new Date(Date.now() + STALE_MS).toISOString() };
    }
    const local = metadata.endpoints.map((endpoint, i) => ({ ...endpoint, url: `${address()}/${i}` }));
    return Response.json({ ...metadata, endpoints: local });
  };

  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    onListen: () => {},
    onError: (error) => new Response(reasonOf(error), { status: OUTAGE_STATUS }),
  }, async (request) => {
    try {
      const body = await request.arrayBuffer();
      const { pathname } = new URL(request.url);
      if (pathname === "/") return await exchange(request, body);
      const [, index, method] = /^\/(\d+)\/([a-z_]+)$/.exec(pathname) ?? [];
      const endpoint = endpoints[Number(index)];
      if (endpoint === undefined) return new Response("There is no such endpoint", { status: 404 });
      const { status, headers, content } = await send(`${endpoint}/${method}`, request, body);
      const type = headers.get("content-type");
      return new Response(content, { status, headers: type === null ? {} : { "content-type": type } });
    } catch (error) {
      return new Response(reasonOf(error), { status: OUTAGE_STATUS });
    }
  });
  const address = () => `http://127.0.0.1:${server.addr.port}`;
  return {
    url: address(),
    async ping() {
      await send(upstream, new Request(upstream), new ArrayBuffer());
    },
    async close() {
      ended.abort(new Error("The database is closed"));
      await server.shutdown();
    },
  };
}

/** Returns the message of an error. For a failed `fetch` it is the message of the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message === "fetch failed" && error.cause ? reasonOf(error.cause) : error.message;
}
