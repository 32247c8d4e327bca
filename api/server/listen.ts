/**
 * The application on a port. `node:http` and not `Deno.serve`: the latter reads a refused body to its end, has no
 * limit of time for a request's head, and makes the path from the Host field.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { ulid } from "ulid";
import { type ApiLimits, DEFAULT_LIMITS } from "../limits.ts";
import { PROBLEM_TITLES, ProblemError, problemResponse, problemText } from "../problem.ts";
import { answer, type Handler, requestOf } from "./exchange.ts";

/** Where to listen, and how patiently. */
export interface ListenOptions {
  /** 0 for any that is free. */
  readonly port: number;
  readonly host: string;
  readonly limits?: Partial<ApiLimits>;
  /** Answers that broke off for a reason of ours; standard error when absent. */
  readonly log?: (message: string, error: unknown) => void;
}

/** A server that listens. */
export interface HttpServer {
  readonly port: number;
  /** As `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Takes no new connection and closes the idle ones. */
  refuse(): void;
  /** Waits for the answers in progress, at most so many milliseconds, then cuts what is left. */
  close(withinMs: number): Promise<void>;
}

/** Headers above this are refused before the application sees them. */
const HEAD_BYTES = 64 * 1024;

/** Starts to listen. @throws the system's error, with its `code`, for an address that cannot be used */
export async function listen(handler: Handler, options: ListenOptions): Promise<HttpServer> {
  const limits: ApiLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const log = options.log ?? ((message, error) => console.error(message, error));
  let closing = false;
  const take = async (incoming: IncomingMessage, outgoing: ServerResponse, onBody = () => {}) => {
    const gone = new AbortController();
    outgoing.on("close", () => outgoing.writableFinished || gone.abort(new Error("The client has gone")));
    outgoing.on("error", () => {});
    try {
      const response = await respond(handler, incoming, gone.signal, onBody);
      if (closing) outgoing.setHeader("connection", "close");
      await answer(response, incoming, outgoing, limits);
    } catch (error) {
      if (!gone.signal.aborted) log("An answer broke off:", error);
      outgoing.destroy();
    }
  };
  const server = createServer({
    headersTimeout: limits.headMs,
    keepAliveTimeout: limits.keepAliveMs,
    // Bodies have their own limits of time, in api/body; this one is for bodies that nobody reads.
    requestTimeout: limits.uploadTotalMs + limits.uploadStoreMs,
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headMs / 4)),
    maxHeaderSize: HEAD_BYTES,
    requireHostHeader: false,
  }, (incoming, outgoing) => void take(incoming, outgoing));
  server.on("checkContinue", (incoming, outgoing) =>
    void take(incoming, outgoing, () => {
      if (!outgoing.headersSent) outgoing.writeContinue();
    }));
  server.on("clientError", refuseUnreadable);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const { address, port, family } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}`,
    refuse() {
      closing = true;
      stopListening(server);
    },
    async close(withinMs) {
      closing = true;
      const ended = stopListening(server);
      const timer = setTimeout(() => server.closeAllConnections(), withinMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

const ends = new WeakMap<Server, Promise<void>>();

function stopListening(server: Server): Promise<void> {
  const ended = ends.get(server) ?? new Promise<void>((resolve) => server.close(() => resolve()));
  ends.set(server, ended);
  server.closeIdleConnections();
  return ended;
}

async function respond(
  handler: Handler,
  incoming: IncomingMessage,
  gone: AbortSignal,
  onBody: () => void,
): Promise<Response> {
  const refused = (problem: ProblemError) => problemResponse(problem, "", `req_${ulid()}`);
  try {
    if (incoming.method === "TRACE") {
      return await refuseTrace(handler, requestOf(incoming, gone, onBody, "OPTIONS"), refused);
    }
    return await handler(requestOf(incoming, gone, onBody));
  } catch (error) {
    if (error instanceof ProblemError) return refused(error);
    // `new Request` refuses what no field or method may hold.
    return refused(new ProblemError(400, "The request is malformed"));
  }
}

/** A `Request` cannot have the method TRACE: what OPTIONS answers says whether the path is known, and what it takes. */
async function refuseTrace(
  handler: Handler,
  options: Request,
  refused: (problem: ProblemError) => Response,
): Promise<Response> {
  const answer = await handler(options);
  const allow = answer.headers.get("allow");
  if (allow === null) return answer;
  return refused(new ProblemError(405, `TRACE is not one of: ${allow}`, { headers: { allow } }));
}

const STATUS_OF_CODE: Readonly<Record<string, [status: 400 | 408 | 431, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, `The header must have at most ${HEAD_BYTES} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request did not arrive in time"],
};

/** Answers what is not a request of HTTP, and closes the connection. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  // Whatever comes behind an answer is not a request either.
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const [status, detail] = STATUS_OF_CODE[error.code ?? ""] ?? [400, "This is not a request of HTTP/1.1"];
  const body = problemText(new ProblemError(status, detail), "", `req_${ulid()}`);
  const lines = [
    `HTTP/1.1 ${status} ${PROBLEM_TITLES[status]}`,
    "content-type: application/problem+json",
    `content-length: ${new TextEncoder().encode(body).length}`,
    "connection: close",
    "",
    body,
  ];
  socket.end(lines.join("\r\n"), () => socket.destroy());
}
