/**
 * Serves the application on a port. It uses `node:http` because `Deno.serve` reads a rejected body to its end, has no
 * time limit for request headers, and takes part of the path from the Host header.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { type ApiLimits, DEFAULT_LIMITS } from "../http/limits.ts";
import {
  methodProblem,
  PROBLEM_TITLES,
  ProblemError,
  problemResponse,
  problemText,
} from "../http/problem.ts";
import { newRequestId } from "../http/requestId.ts";
import { type Handler, sendResponse, toRequest } from "./nodeAdapter.ts";

/** Address, limits and log of a server. */
export interface ListenOptions {
  /** 0 for any free port. */
  readonly port: number;
  readonly host: string;
  readonly limits?: Partial<ApiLimits>;
  /** Receives responses that failed after they began; standard error when absent. */
  readonly log?: (message: string, error: unknown) => void;
}

/** A listening server. */
export interface HttpServer {
  readonly port: number;
  /** For example `http://127.0.0.1:8000`. */
  readonly url: string;
  /** Stops accepting connections and closes idle ones. */
  refuse(): void;
  /** Waits up to `withinMs` milliseconds for open responses, then closes the remaining connections. */
  close(withinMs: number): Promise<void>;
}

/** Maximum size of all header fields. Larger ones are rejected before the application receives the request. */
const HEAD_BYTES = 64 * 1024;

/** Starts a server. @throws the system's error, with its `code`, for an address that cannot be used */
export async function listen(handler: Handler, options: ListenOptions): Promise<HttpServer> {
  const limits: ApiLimits = { ...DEFAULT_LIMITS, ...options.limits };
  const log = options.log ?? ((message, error) => console.error(message, error));
  let closing = false;
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse, onBody = () => {}) => {
    const disconnected = new AbortController();
    outgoing.on(
      "close",
      () => outgoing.writableFinished || disconnected.abort(new Error("The client disconnected")),
    );
    outgoing.on("error", () => {});
    try {
      const response = await respond(handler, incoming, disconnected.signal, onBody);
      if (closing) outgoing.setHeader("connection", "close");
      await sendResponse(response, incoming, outgoing, limits);
    } catch (error) {
      if (!disconnected.signal.aborted) log("A response failed after it began:", error);
      outgoing.destroy();
    }
  };
  const server = createServer({
    headersTimeout: limits.headMs,
    keepAliveTimeout: limits.keepAliveMs,
    // api/body limits the time for bodies that are read. This limit is for bodies that are not.
    requestTimeout: limits.uploadTotalMs + limits.uploadStoreMs,
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headMs / 4)),
    maxHeaderSize: HEAD_BYTES,
    requireHostHeader: false,
  }, (incoming, outgoing) => void handle(incoming, outgoing));
  server.on("checkContinue", (incoming, outgoing) =>
    void handle(incoming, outgoing, () => {
      if (!outgoing.headersSent) outgoing.writeContinue();
    }));
  server.on("clientError", rejectUnreadable);
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

const closings = new WeakMap<Server, Promise<void>>();

function stopListening(server: Server): Promise<void> {
  const ended = closings.get(server) ?? new Promise<void>((resolve) => server.close(() => resolve()));
  closings.set(server, ended);
  server.closeIdleConnections();
  return ended;
}

async function respond(
  handler: Handler,
  incoming: IncomingMessage,
  disconnected: AbortSignal,
  onBody: () => void,
): Promise<Response> {
  const reject = (problem: ProblemError) => problemResponse(problem, "", newRequestId());
  try {
    if (incoming.method === "TRACE") {
      return await rejectTrace(handler, toRequest(incoming, disconnected, onBody, "OPTIONS"), reject);
    }
    return await handler(toRequest(incoming, disconnected, onBody));
  } catch (error) {
    if (error instanceof ProblemError) return reject(error);
    // `new Request` throws for an invalid header or method.
    return reject(new ProblemError(400, "The request is malformed"));
  }
}

/** Rejects TRACE, which a `Request` cannot have. The response to OPTIONS shows which methods the path has, if any. */
async function rejectTrace(
  handler: Handler,
  options: Request,
  reject: (problem: ProblemError) => Response,
): Promise<Response> {
  const response = await handler(options);
  const allow = response.headers.get("allow");
  if (allow === null) return response;
  return reject(methodProblem("TRACE", allow));
}

const STATUS_OF_CODE: Readonly<Record<string, [status: 400 | 408 | 431, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, `The header fields must have at most ${HEAD_BYTES} bytes together`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request did not arrive in time"],
};

/** Answers input that is not valid HTTP, and closes the connection. */
function rejectUnreadable(error: Error & { code?: string }, socket: Socket): void {
  // A socket that already has a response, or is closed, gets no second one.
  if (!socket.writable || error.code === "ECONNRESET") return void socket.destroy();
  const [status, detail] = STATUS_OF_CODE[error.code ?? ""] ?? [400, "The request is not valid HTTP/1.1"];
  const body = problemText(new ProblemError(status, detail), "", newRequestId());
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
