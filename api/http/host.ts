/**
 * Host names: parsing of the Host header (RFC 9110 section 7.2), and loopback names.
 *
 * @module
 */

/** Host names that the service accepts, without ports. Loopback names are always accepted. */
export type HostNames = "any" | readonly string[];

/** The parts of `host[:port]`. */
export interface Host {
  /** In lower case, without a final dot; IPv6 in brackets, in its shortest form. */
  readonly name: string;
  /** As written; empty when absent. */
  readonly port: string;
}

const REG_NAME = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/;

/** Parses `host[:port]`: a registered name, an IPv4 address or an IPv6 address in brackets. Returns null otherwise. */
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

/** Returns whether a host name is a loopback name: `localhost`, a name under it, 127.0.0.0/8 or `[::1]`. */
export function isLoopback(name: string): boolean {
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(name);
}
