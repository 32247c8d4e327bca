/**
 * The hosts that the service may download from.
 *
 * @module
 */
import { isIP } from "node:net";
import { RemoteError } from "./remoteError.ts";

/** An entry of the allow-list. */
export interface AllowedHost {
  readonly protocol: "https:" | "http:";
  /** A host name in lower case, an address, or `*.` and a domain for every name below it. IPv6 has brackets. */
  readonly hostname: string;
  /** Empty for the protocol's own port. */
  readonly port: string;
  /** Whether the name may resolve to addresses that are not public. */
  readonly isPrivate: boolean;
}

/** Name of the setting, for messages. */
const SETTING = "UNMASK_FETCH_HOSTS";
/** Maximum number of characters of an address. */
const MAX_URL_LENGTH = 2048;

/**
 * Parses an entry: a host name, `*.DOMAIN` or an address, with an optional port, after `http://` if it has no TLS, and
 * with ` private` after it if the name has a private address. An address in the list may be private anyway.
 *
 * @returns null if it has another form
 */
export function parseAllowedHost(text: string): AllowedHost | null {
  const match = /^(https?:\/\/)?(\*\.)?([^\s/\\@?#*%]+?)\/?( +private)?$/i.exec(text.trim());
  if (match === null) return null;
  const [, scheme = "https://", wildcard = "", authority, suffix] = match;
  const url = URL.parse(scheme + authority);
  if (url === null || url.hostname === "" || url.hostname.endsWith(".")) return null;
  const address = addressOf(url.hostname);
  if (wildcard !== "" && (address !== null || !url.hostname.includes("."))) return null;
  return {
    protocol: url.protocol as AllowedHost["protocol"],
    hostname: wildcard + url.hostname,
    port: url.port,
    isPrivate: suffix !== undefined || address !== null,
  };
}

/** Returns the address that a host of a URL is; null for a name. */
export function addressOf(hostname: string): string | null {
  const text = hostname.replace(/^\[(.*)\]$/, "$1");
  return isIP(text) === 0 ? null : text;
}

/**
 * Parses the address of a request. Its fragment is removed.
 *
 * @throws {RemoteError} for an address that is not an absolute http(s) URL, has a user, or spells a number differently
 */
export function parseRemoteUrl(text: string): URL {
  const refuse = (rule: string): never => {
    throw new RemoteError("refused", rule);
  };
  if (text.length > MAX_URL_LENGTH) refuse(`must have at most ${MAX_URL_LENGTH} characters`);
  // The URL parser removes tabs and line breaks, and reads a backslash as a slash.
  // deno-lint-ignore no-control-regex -- control characters are what is refused
  if (/[\u0000-\u0020\u007f\\]/.test(text)) {
    refuse("must not contain spaces, control characters or backslashes");
  }
  const url = URL.parse(text), authority = /^https?:\/\/([^/?#]+)/i.exec(text)?.[1];
  if (url === null || authority === undefined) {
    return refuse("must be an https address, such as https://HOST/ORGANISATION/NAME");
  }
  if (authority.includes("@")) refuse("must not contain a user name or password");
  const spelt = authority.replace(/:\d*$/, "").toLowerCase();
  if (isIP(url.hostname) === 4 && spelt !== url.hostname) {
    refuse(`must spell the address of its host as ${url.hostname}`);
  }
  url.hash = "";
  return url;
}

/** Returns the entry that allows a URL. @throws {RemoteError} naming the setting if none does */
export function allowedHost(url: URL, hosts: readonly AllowedHost[]): AllowedHost {
  if (hosts.length === 0) {
    throw new RemoteError(
      "refused",
      `is not supported: no host is allowed by the setting ${SETTING} of this service`,
    );
  }
  const named = hosts.filter(({ hostname }) =>
    hostname.startsWith("*.") ? url.hostname.endsWith(hostname.slice(1)) : url.hostname === hostname
  );
  const matching = named.filter(({ protocol, port }) => protocol === url.protocol && port === url.port);
  if (matching.length > 0) return matching.find(({ isPrivate }) => isPrivate) ?? matching[0];
  if (named.some(({ port }) => port === url.port) && url.protocol === "http:") {
    throw new RemoteError(
      "refused",
      `must begin with https://: ${SETTING} does not allow http for '${url.host}'`,
    );
  }
  throw new RemoteError(
    "refused",
    `must be on a host that the setting ${SETTING} of this service allows: '${
      url.host.slice(0, 200)
    }' is not one`,
  );
}
