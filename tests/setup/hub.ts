/**
 * A local server of models with TLS, which has the names `hub.test` and `cdn.test`. It has the protocol of Hugging
 * Face: redirects, ranges and entity tags.
 *
 * @module
 */
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import type { Bytes } from "../../data/bytes.ts";
import { parseAllowedHost } from "../../data/remote/allowedHosts.ts";
import type { RemoteSettings } from "../../data/remote/request.ts";

/** Responds to a request. `count` is the number of earlier requests for the path. */
export type HubHandler = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  count: number,
) => void;

const fixture = (name: string) => Deno.readTextFileSync(new URL(`../fixtures/hub/${name}`, import.meta.url));
/** The certificate for both names. */
export const CERTIFICATE = fixture("cert.pem");

/** The server. */
export class Hub implements AsyncDisposable {
  /** Handlers by host and path, such as `hub.test/org/name/resolve/main/config.json`. */
  readonly #routes = new Map<string, HubHandler>();
  readonly #counts = new Map<string, number>();
  /** Host, path and range of every request. */
  readonly requests: { readonly target: string; readonly range: string | undefined }[] = [];

  private constructor(readonly server: http.Server, readonly protocol: "https" | "http") {
    server.on("request", (request, response) => {
      const target = request.headers.host!.replace(/:\d+$/, "") + request.url!.replace(/\?.*/, "");
      const count = this.#counts.get(target) ?? 0;
      this.#counts.set(target, count + 1);
      this.requests.push({ target, range: request.headers.range });
      const handler = this.#routes.get(target);
      if (handler === undefined) response.writeHead(404).end("SECRET BODY");
      else handler(request, response, count);
    });
  }

  /** Starts the server on a free port of 127.0.0.1. */
  static async open(protocol: "https" | "http" = "https"): Promise<Hub> {
    const server = protocol === "https"
      ? https.createServer({ cert: CERTIFICATE, key: fixture("key.pem") })
      : http.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    return new Hub(server as http.Server, protocol);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Returns the address of a path such as `hub.test/org/name`. */
  url(target: string): string {
    const [host, ...path] = target.split("/");
    return `${this.protocol}://${host}:${this.port}/${path.join("/")}`;
  }

  /** Serves content, or calls a handler. */
  add(target: string, content: Bytes | string | HubHandler): this {
    this.#routes.set(target, typeof content === "function" ? content : serve(content));
    return this;
  }

  /** Settings that allow hosts, all of which are this server. */
  settings(
    hosts: readonly string[] = ["hub.test", "cdn.test"],
    changes: Partial<RemoteSettings> = {},
  ): RemoteSettings {
    return {
      hosts: hosts.map((host) => parseAllowedHost(`${this.protocol}://${host}:${this.port} private`)!),
      resolve: () => Promise.resolve(["127.0.0.1"]),
      ca: CERTIFICATE,
      idleMs: 5000,
      retryMs: 1,
      ...changes,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** Returns a handler that serves content with ranges and an entity tag. */
export function serve(content: Bytes | string, etag = '"1"'): HubHandler {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return ({ headers }, response) => {
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    if (start > 0 && headers["if-range"] === etag) {
      response.writeHead(206, {
        etag,
        "content-length": bytes.length - start,
        "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}`,
      }).end(bytes.subarray(start));
    } else response.writeHead(200, { etag, "content-length": bytes.length }).end(bytes);
  };
}

/** Returns a handler that redirects. */
export const redirect = (location: string, status = 302): HubHandler => (_, response) => {
  response.writeHead(status, { location }).end("SECRET BODY");
};

/** Returns a handler that responds with a status. */
export const respond =
  (status: number, headers: Record<string, string> = {}): HubHandler => (_, response) => {
    response.writeHead(status, headers).end("SECRET BODY");
  };

/** Returns a handler that sends the first bytes of content and then closes the connection. */
export const breakAfter =
  (content: Bytes, length: number, etag: string | null = '"1"'): HubHandler => (_, response) => {
    response.writeHead(200, { ...etag && { etag }, "content-length": content.length });
    response.write(content.subarray(0, length), () => setTimeout(() => response.destroy(), 20));
  };
