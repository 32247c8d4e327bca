/**
 * Requests to allowed hosts. Each connection goes to an address that was checked just before. A name whose
 * address changes in between therefore cannot lead to a private host. Certificates are checked for the name.
 *
 * @module
 */
import * as http from "node:http";
import * as https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { checkedAddresses, type Resolve } from "./addresses.ts";
import { type AllowedHost, allowedHost } from "./allowedHosts.ts";
import { RemoteError } from "./remoteError.ts";

/** Settings of downloads. */
export interface RemoteSettings {
  /** Hosts that are allowed; none disables downloads. */
  readonly hosts: readonly AllowedHost[];
  /** Returns the addresses of a host name; the system's resolver by default. */
  readonly resolve?: Resolve;
  /** Certificate authorities as PEM; the known public ones by default. */
  readonly ca?: string;
  /** Time in which a server must send its headers, and then 16 KiB each time. 30 s by default. */
  readonly idleMs?: number;
  /** Pause before the first repeated attempt, which later ones double. 1 s by default. */
  readonly retryMs?: number;
}

/** Default of `idleMs` of the settings. */
export const IDLE_MS = 30_000;
/** Maximum number of redirects of a request. */
const MAX_REDIRECTS = 5;

/**
 * Sends a GET request and follows redirects between allowed hosts.
 *
 * @param signal ends the request and its response
 * @throws {RemoteError} for a host that is not allowed or not public, and for a connection that fails
 */
export async function get(
  url: URL,
  headers: Readonly<Record<string, string>>,
  settings: RemoteSettings,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  let current = url;
  for (let redirects = 0;; redirects++) {
    const response = await send(current, headers, settings, signal);
    const status = response.statusCode ?? 0, { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(status)) return response;
    response.destroy();
    if (redirects === MAX_REDIRECTS) {
      throw new RemoteError("refused", `was redirected more than ${MAX_REDIRECTS} times`);
    }
    current = redirectTarget(location, current, settings);
  }
}

/** Returns the target of a redirect. @throws {RemoteError} unless it is allowed */
function redirectTarget(location: string | undefined, from: URL, { hosts }: RemoteSettings): URL {
  const target = location === undefined ? null : URL.parse(location, from);
  const refuse = (reason: string, cause?: unknown): never => {
    throw new RemoteError("refused", `was redirected by '${from.host}' to another address, which ${reason}`, {
      cause,
    });
  };
  if (target === null) return refuse("is missing or invalid");
  if (target.username !== "" || target.password !== "") refuse("must not contain a user name");
  if (from.protocol === "https:" && target.protocol !== "https:") refuse("must begin with https://");
  try {
    allowedHost(target, hosts);
  } catch (error) {
    if (!(error instanceof RemoteError)) throw error;
    refuse(error.message, error);
  }
  target.hash = "";
  return target;
}

async function send(
  url: URL,
  headers: Readonly<Record<string, string>>,
  { hosts, resolve, ca }: RemoteSettings,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  signal.throwIfAborted();
  const addresses = await untilAborted(
    checkedAddresses(url.hostname, allowedHost(url, hosts), resolve),
    signal,
  );
  const { promise, resolve: respond, reject } = Promise.withResolvers<http.IncomingMessage>();
  const isTls = url.protocol === "https:", { Agent } = isTls ? https : http;
  const options: https.RequestOptions = {
    // An agent of its own re-uses no connection. `agent: false` would follow NODE_USE_ENV_PROXY to a proxy, which looks
    // names up itself.
    agent: new Agent({ keepAlive: false, proxyEnv: {} } as https.AgentOptions),
    lookup: lookupOf(addresses),
    // Takes precedence over NODE_TLS_REJECT_UNAUTHORIZED.
    rejectUnauthorized: true,
    // With another encoding, the range of a later response might not continue the first one.
    headers: { "accept-encoding": "identity", "user-agent": "unmask", ...headers },
    ...ca !== undefined && { ca },
  };
  const request = (isTls ? https : http).get(url, options, respond);
  request.on("error", (error) => {
    const { code, message } = error as Error & { code?: string };
    const text = `cannot be fetched: the connection to '${url.host}' failed (${
      code ?? message.slice(0, 100)
    })`;
    const isCertificate = /CERT|SIGNATURE|SSL|TLS/.test(code ?? "") && !/ECONN/.test(code ?? "");
    reject(new RemoteError(isCertificate ? "refused" : "unavailable", text, { cause: error }));
  });
  const abort = () => request.destroy();
  signal.addEventListener("abort", abort, { once: true });
  request.on("close", () => signal.removeEventListener("abort", abort));
  return await untilAborted(promise, signal);
}

/** Waits for a promise. @throws the signal's reason as soon as it is aborted */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
    promise.catch(() => {});
  }
}

/** Returns a look-up that has only these addresses, for every name. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  const entries = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    if (options.all) callback(null, entries);
    else callback(null, entries[0].address, entries[0].family);
  };
}
