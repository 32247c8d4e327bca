/**
 * Converts a `node:http` request to a `Request`, and writes a `Response` to the client.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ApiLimits } from "../http/limits.ts";
import { parseRequestTarget } from "./requestTarget.ts";

/** A function that returns the response to a request, such as `app.fetch`. */
export type Handler = (request: Request) => Response | Promise<Response>;

/**
 * Creates the `Request` for the application. Its path is taken from the request line only. Its body is read only as far
 * as the application reads it.
 *
 * @param disconnected aborted when the client disconnects before the response is complete
 * @param onBody called before the application reads the body for the first time
 * @param method replaces a method that `Request` does not support
 * @throws {ProblemError} 400 for a request line or a Host that is not valid
 */
export function toRequest(
  incoming: IncomingMessage,
  disconnected: AbortSignal,
  onBody: () => void,
  method = incoming.method ?? "GET",
): Request {
  const headers = new Headers();
  const hosts: string[] = [];
  for (let index = 0; index < incoming.rawHeaders.length; index += 2) {
    const name = incoming.rawHeaders[index], value = incoming.rawHeaders[index + 1];
    if (name.toLowerCase() === "host") hosts.push(value.trim());
    else headers.append(name, value);
  }
  const { path, host } = parseRequestTarget(incoming.url ?? "", hosts, incoming.httpVersion);
  if (host !== null) headers.set("host", host);
  const init: RequestInit = { method, headers, signal: disconnected };
  if (method !== "GET" && method !== "HEAD" && hasBody(incoming)) init.body = bodyOf(incoming, onBody);
  // The authority is fixed, so that a Host header cannot become part of the path.
  return new Request(`http://localhost${path}`, init);
}

/** Returns whether a request has a body, which one of two headers indicates (RFC 9112 section 6.3). */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

function bodyOf(incoming: IncomingMessage, onBody: () => void): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks = incoming.iterator({ destroyOnReturn: false });
  let isFirst = true;
  return new ReadableStream({
    async pull(controller) {
      if (isFirst) onBody();
      isFirst = false;
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(new Uint8Array(value));
    },
    async cancel() {
      await chunks.return?.();
    },
  }, { highWaterMark: 0 });
}

/**
 * Writes the response. If part of the request's body was not read, the connection is closed after the response. Before
 * that, the remaining body is discarded up to a limit, so that the client receives the response.
 *
 * @throws when the response's body fails, or the client reads nothing for `writeIdleMs`
 */
export async function sendResponse(
  response: Response,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  limits: ApiLimits,
): Promise<void> {
  response.headers.forEach((value, name) => {
    // Only HTTP/1.1 has chunks, so `node:http` sets this header itself.
    if (name !== "transfer-encoding") outgoing.appendHeader(name, value);
  });
  outgoing.statusCode = response.status;
  if (incoming.complete && incoming.method !== "HEAD" && isInMemory(response)) {
    // Reading the body as a stream takes longer than sending it.
    const body = await response.bytes();
    outgoing.setHeader("content-length", body.byteLength);
    if (!outgoing.write(body)) await waitForDrain(outgoing, limits.writeIdleMs);
    return void outgoing.end();
  }
  const reader = incoming.method === "HEAD" ? null : response.body?.getReader() ?? null;
  if (reader === null) await response.body?.cancel();
  if (!incoming.complete) outgoing.setHeader("connection", "close");
  try {
    if (reader === null) outgoing.flushHeaders();
    else await writeBody(reader, outgoing, limits);
    if (!incoming.complete) await discard(incoming, limits);
  } catch (error) {
    await reader?.cancel(error).catch(() => {});
    throw error;
  }
  outgoing.end();
}

/**
 * Whether the body was computed before the response was created: JSON or a picture, not a stored object, and not chunks
 * that are computed while they are sent.
 */
function isInMemory({ headers }: Response): boolean {
  const type = headers.get("content-type") ?? "";
  return /^(application\/(problem\+)?json|image\/png)/.test(type) && !headers.has("content-length") &&
    !headers.has("transfer-encoding");
}

async function writeBody(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  outgoing: ServerResponse,
  limits: ApiLimits,
): Promise<void> {
  const isStream = outgoing.getHeader("content-type")?.toString().startsWith("text/event-stream");
  if (isStream) outgoing.flushHeaders();
  let chunk = await reader.read();
  while (!chunk.done) {
    // A response with a single chunk gets a Content-Length.
    const next = isStream ? null : await reader.read();
    if (next?.done && !outgoing.headersSent && !outgoing.hasHeader("content-length")) {
      outgoing.setHeader("content-length", chunk.value.byteLength);
    }
    if (outgoing.destroyed) throw new Error("The client disconnected");
    if (!outgoing.write(chunk.value)) await waitForDrain(outgoing, limits.writeIdleMs);
    chunk = next ?? await reader.read();
  }
  if (!outgoing.headersSent) outgoing.flushHeaders();
}

function waitForDrain(outgoing: ServerResponse, withinMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      clearTimeout(timer);
      outgoing.off("drain", onDrain).off("close", onClose);
      if (error) reject(error);
      else resolve();
    };
    const onDrain = () => settle();
    const onClose = () => settle(new Error("The client disconnected"));
    const timer = setTimeout(() => settle(new Error("The client does not read its response")), withinMs);
    outgoing.on("drain", onDrain).on("close", onClose);
  });
}

/** Discards the rest of the body until it ends, the client disconnects or a limit is reached. */
function discard(incoming: IncomingMessage, limits: ApiLimits): Promise<void> {
  let bytes = 0;
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      incoming.off("data", onData).off("end", done).off("close", done).off("error", done);
      incoming.pause();
      resolve();
    };
    const onData = (chunk: Uint8Array) => {
      bytes += chunk.byteLength;
      if (bytes > limits.rejectedBytes) done();
    };
    const timer = setTimeout(done, limits.rejectedMs);
    incoming.on("data", onData).on("end", done).on("close", done).on("error", done);
    if (incoming.destroyed) done();
  });
}
