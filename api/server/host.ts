/**
 * Reads the Host header and the request target (RFC 9110 section 7.2 and RFC 9112 section 3.2).
 *
 * @module
 */
import { ProblemError } from "../http/problem.ts";

/** The parts of `host[:port]`. */
export interface Host {
  /** In lower case, without a final dot; IPv6 in brackets, in its shortest form. */
  readonly name: string;
  /** As written; empty when absent. */
  readonly port: string;
}

const REG_NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;

/** Reads `host[:port]`: a registered name, an IPv4 address or an IPv6 address in brackets. Null for anything else. */
export function parseHost(text: string): Host | null {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::(\d{0,5}))?$/.exec(text);
  if (match === null || text.length > 300 || Number(match[2] ?? 0) > 65_535) return null;
  const [, name, port = ""] = match;
  if (!name.startsWith("[")) {
    return REG_NAME.test(name) ? { name: name.toLowerCase().replace(/(.)\.$/, "$1"), port } : null;
  }
  const url = URL.parse(`http://${name}/`);
  return url && { name: url.hostname, port };
}

/** The target of a request. */
export interface Target {
  /** Path and query, from the request line only. */
  readonly path: string;
  /** The host of an absolute target, else the Host header. Null only for HTTP/1.0 without a Host. */
  readonly host: string | null;
}

const refused = (detail: string) => new ProblemError(400, detail, { headers: { connection: "close" } });

/**
 * Determines the target of a request.
 *
 * @param target as in the request line
 * @param hosts every value of the Host header
 * @throws {ProblemError} 400 for another form of target, for segments `.` and `..`, and for a Host that is missing,
 * given twice or not `host[:port]`
 */
export function targetOf(target: string, hosts: readonly string[], httpVersion: string): Target {
  if (hosts.length > 1) throw refused("Host must be given once");
  if (hosts.length === 0 && httpVersion !== "1.0") throw refused("The Host header is missing");
  if (hosts.length === 1 && parseHost(hosts[0]) === null) {
    throw refused("Host must be a name or an address, with an optional port, such as example.com:8000");
  }
  const absolute = /^https?:\/\/([^/?]*)(.*)$/i.exec(target);
  if (absolute !== null && parseHost(absolute[1]) === null) {
    throw refused("The address must have a valid host, such as http://example.com:8000/path");
  }
  const [host, rest] = absolute === null ? [hosts[0] ?? null, target] : [absolute[1], absolute[2]];
  const path = absolute !== null && !rest.startsWith("/") ? `/${rest}` : rest;
  if (!/^\/[\x21-\x7e]*$/.test(path) || /[\\#]/.test(path)) {
    throw refused("The address must begin with '/' and have no '\\', '#', space or character beyond ASCII");
  }
  if (path.split("?")[0].split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) {
    throw refused("The address must not have the segments '.' and '..'");
  }
  return { path, host };
}
