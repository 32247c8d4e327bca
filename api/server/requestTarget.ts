/**
 * Parses the request target (RFC 9112 section 3.2).
 *
 * @module
 */
import { parseHost } from "../http/host.ts";
import { ProblemError } from "../http/problem.ts";

/** The target of a request. */
export interface RequestTarget {
  /** Path and query, from the request line only. */
  readonly path: string;
  /** The host of an absolute target, else the Host header. Null only for HTTP/1.0 without a Host. */
  readonly host: string | null;
}

const badRequest = (detail: string) => new ProblemError(400, detail, { headers: { connection: "close" } });

/**
 * Parses the target of a request.
 *
 * @param target as in the request line
 * @param hosts every value of the Host header
 * @throws {ProblemError} 400 for another form of target, for segments `.` and `..`, and for a Host that is missing,
 * repeated or not `host[:port]`
 */
export function parseRequestTarget(
  target: string,
  hosts: readonly string[],
  httpVersion: string,
): RequestTarget {
  if (hosts.length > 1) throw badRequest("The Host header must not be repeated");
  if (hosts.length === 0 && httpVersion !== "1.0") throw badRequest("The Host header is required");
  if (hosts.length === 1 && parseHost(hosts[0]) === null) {
    throw badRequest("Host must be a name or an address, with an optional port, such as example.com:8000");
  }
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
  if (absolute !== null && parseHost(absolute[1]) === null) {
    throw badRequest("The URL must have a valid host, such as http://example.com:8000/path");
  }
  const [host, rest] = absolute === null ? [hosts[0] ?? null, target] : [absolute[1], absolute[2]];
  const path = absolute !== null && !rest.startsWith("/") ? `/${rest}` : rest;
  if (!/^\/[\x21-\x7e]*$/.test(path) || /[\\#]/.test(path)) {
    throw badRequest(
      "The path must begin with '/' and must not contain '\\', '#', spaces or characters beyond ASCII",
    );
  }
  if (path.split("?")[0].split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) {
    throw badRequest("The path must not have the segments '.' and '..'");
  }
  return { path, host };
}
